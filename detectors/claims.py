"""`claims`: titles people give themselves, promises of followers or income with numbers, and sayings of the trade.

An observation for the card: it notes what was claimed, beside a known figure where there is one, and adds no weight.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from detectors.normalise import normalise
from detectors.records import Account, Event, Finding, Line, Message, Quote, Reading, Unavailable
from detectors.sayings import find_sayings
from detectors.show import Show

_FIRST_PERSON: Final = r"(?:i|i'm|i am|we|me|my|we're|je|j|moi|on|nous|mon|ma)"
_TITLE: Final = re.compile(
    r"\b(?:i'?m|i am|they call me|people call me|i'?m known as|je suis|on m'appelle|on me surnomme|c'est moi)\s"
    r"(?:honestly |just |really |vraiment )*((?:(?:the|a|an|your|le|la|un|une|votre|ton)\s|l')?"
    r"(?:(?!\w+ing\b)[\w'-]+\s){0,2}?"
    r"(guru|gourou|ninja|king|queen|roi|reine|number one|numéro un|n° ?1|experte?|rock ?star|wizard|godfather"
    r"|pape(?:sse)?)\b"
    r"(?:\s(?:of|in|du|de la|des|de|en)\s(?:\w+\s?){1,2})?)",
    re.IGNORECASE,
)
# Words between "I am" and the title after which it is denied, or somebody else's.
_NOT_THEIRS: Final = re.compile(
    r"\b(?:not|no|never|about|when|if|the one|with|for|to|by|like|than|looking|watching"
    r"|pas|plus|jamais|avec|pour|comme|chez)\b",
    re.IGNORECASE,
)
_NUMBER: Final = r"(?<!\d)(\d{1,3}(?:[ .,]\d{3})+|\d+(?:[.,]\d+)?)\s?(k|m|thousand|million|mille|millions)?\b"
_FOLLOWERS: Final = re.compile(
    _NUMBER + r"\+?\s+(?:[^\W\d]\w*\s){0,2}?(?:d')?(followers|subscribers|fans|abonnés|abonnées)", re.IGNORECASE
)
_MONEY: Final = re.compile(
    r"(?:[$€£]\s?" + _NUMBER + r"|" + _NUMBER + r"\s?(?:d')?(?:[$€£]|dollars|euros|pounds|balles|piasses|bucks))",
    re.IGNORECASE,
)
_PERIOD: Final = re.compile(
    r"\b(?:a|per|every|in|par|en|chaque|un|une|le)\s(?:\w+\s)?(?:day|week|month|year|jours?|semaines?|mois|ans?|année)s?\b"
    r"|\b(?:days|weeks|months|jours|semaines)\b",
    re.IGNORECASE,
)
_EARN: Final = re.compile(
    r"\b(?:mak(?:e|es|ing)|made|earn\w*|income|revenue|profit|closed"
    r"|gagn\w*|revenus?|chiffre d'affaires|encaiss\w*|génér\w*)\b",
    re.IGNORECASE,
)
#: Numbers beyond this are no claim but noise; without a bound, enough digits would be infinite.
_MOST: Final = 1e15
_MULTIPLIERS: Final = {"k": 1e3, "thousand": 1e3, "mille": 1e3, "m": 1e6, "million": 1e6, "millions": 1e6}
_MINE: Final = re.compile(r"\b" + _FIRST_PERSON + r"(?=[\s'])", re.IGNORECASE)


@dataclass(frozen=True)
class ClaimsParameters:
    """What `claims` is fitted by."""

    least_followers: int = 500  #: smaller audiences are small talk
    least_money: int = 200  #: smaller sums are prices
    most_per_person: int = 20  #: claims noted for one account in one show
    most_people: int = 500  #: accounts whose claims are remembered in one show
    weight: float = 0.0  #: what a finding adds, in log-odds


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim in a text: its sort (title, followers, income, or that of a saying), its words, its number if any."""

    sort: str
    words: str
    number: int | None = None


@dataclass
class Claims:
    """Notes each new claim of a person once per show."""

    parameters: ClaimsParameters = field(default_factory=ClaimsParameters)
    name: str = "claims"
    _seen: dict[Account, set[tuple[str, str]]] = field(default_factory=dict)

    def observe(self, show: Show, event: Event, reading: Reading | Unavailable | None) -> Finding | None:
        """Return the first claim in the line that its speaker has not made before, if it is their own."""
        if not isinstance(event, Line) or event.weight == 0.0 or not show.is_presenter(event.person.account):
            return None
        if isinstance(reading, Reading) and reading.act in ("caution", "sponsor"):
            return None
        if len(self._seen) > self.parameters.most_people:
            del self._seen[next(iter(self._seen))]
        seen = self._seen.setdefault(event.person.account, set())
        for claim in find_claims(event.text, self.parameters):
            key = (claim.sort, str(claim.number or claim.words))
            if key in seen or len(seen) >= self.parameters.most_per_person:
                continue
            seen.add(key)
            return self._finding(show, event, claim)
        return None

    def _finding(self, show: Show, line: Line, claim: Claim) -> Finding:
        params: dict[str, str | int | float] = {"words": claim.words}
        fact = show.facts.get(line.person.account)
        key = f"claim.{claim.sort}"
        if claim.number is not None:
            params["number"] = claim.number
            if claim.sort == "followers" and fact is not None:
                key = "claim.followers_beside_record"
                params |= {"known": fact.followers, "source": fact.source, "as_of": fact.as_of}
        quote = Quote(line.id, line.at, line.until, line.person, line.kind, line.text, 0.0, line.seat)
        weight = self.parameters.weight
        return Finding(self.name, line.person, line.until, 1.0, Message(key, params), (quote,), weight)


def find_claims(text: str, parameters: ClaimsParameters | None = None) -> Iterator[Claim]:
    """Yield the claims in `text`: titles first, then follower counts, income, sayings."""
    limits = parameters or ClaimsParameters()
    plain = normalise(text).replace("’", "'")
    for found in _TITLE.finditer(plain):
        if not _NOT_THEIRS.search(plain, found.start(), found.start(2)):
            yield Claim("title", found[1].strip())
    for found in _FOLLOWERS.finditer(plain):
        number = _value(found[1], found[2])
        if number >= limits.least_followers:
            yield Claim("followers", found[0].strip(), number)
    if _EARN.search(plain) and (_PERIOD.search(plain) or _MINE.search(plain)):
        for found in _MONEY.finditer(plain):
            number = _value(found[1] or found[3], found[2] or found[4])
            if number >= limits.least_money:
                yield Claim("income", found[0].strip(), number)
    for sort, said in find_sayings(plain):
        yield Claim(sort, said)


def _value(digits: str, unit: str | None) -> int:
    if re.fullmatch(r"\d{1,3}(?:[ .,]\d{3})+", digits):
        value = float(re.sub(r"[ .,]", "", digits))
    else:
        value = float(digits.replace(",", "."))
    return round(min(value * _MULTIPLIERS.get((unit or "").lower(), 1.0), _MOST))
