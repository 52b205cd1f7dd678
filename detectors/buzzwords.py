"""`buzzwords`: big words ("community", "authority"…) said often, without a business measure. An observation."""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from detectors.normalise import normalise
from detectors.quoting import is_of_others, quote
from detectors.records import Account, Event, Finding, Line, Message, Reading, Unavailable
from detectors.show import Show

_BUZZ: Final = re.compile(
    r"\b(?:(?P<community>communit(?:y|ies)|communautés?)|(?P<engagement>engagements?)"
    r"|(?P<authority>authority|thought leader(?:s|ship)?|autorité)|(?P<tribe>tribes?|tribus?)"
    r"|(?P<value>values?|valeurs?)|(?P<visibility>visibility|visibilité)"
    r"|(?P<brand>personal brand(?:s|ing)?|marque personnelle|image de marque|personal branding)"
    r"|(?P<presence>(?:online|digital) presence|présence en ligne)|(?P<mindset>mindset|état d'esprit)"
    r"|(?P<authenticity>authentic(?:ity)?|authenticité|authentiques?)|(?P<influence>influence))\b",
    re.IGNORECASE,
)
_MEASURE: Final = re.compile(
    r"\b(?:conver(?:sions?|ts?|ted|ting)|sales|sold|revenues?|turnover|returns? on|roi|roas|margins?|profits?"
    r"|leads(?! to\b)|lead gen\w*|costs? per|cp[acm]|click[- ]through|customers?|clients?|clientes?|churn|retention"
    r"|ventes?|vendus?|chiffre d'affaires|retour sur|rendement|marges?|bénéfices?|prospects?|coûts? par|panier moyen"
    r"|converti\w*|fidélisation)\b",
    re.IGNORECASE,
)
#: Lines of one person that are remembered at once.
MAX_LINES: Final = 400
#: Words that the message names.
_NAMED: Final = 4


@dataclass(frozen=True)
class BuzzwordsParameters:
    """What `buzzwords` is fitted by."""

    window: float = 300.0  #: the stretch of time that is looked at, in seconds
    least: int = 8  #: big words in it
    least_kinds: int = 3  #: different ones: a gardener speaks of the community garden all day
    least_share: float = 0.012  #: their share of all words that the person said in it
    most_people: int = 200  #: people followed in one show
    weight: float = 0.0  #: what a finding adds, in log-odds


@dataclass(frozen=True, slots=True)
class Said:
    """What counts of one line."""

    at: float
    words: int
    buzz: tuple[tuple[str, str], ...]
    measured: bool


@dataclass
class Buzzwords:
    """Notes, once per presenter and show, a stretch full of big words without any measure."""

    parameters: BuzzwordsParameters = field(default_factory=BuzzwordsParameters)
    name: str = "buzzwords"
    _said: dict[Account, deque[Said]] = field(default_factory=dict)
    _told: set[Account] = field(default_factory=set)

    def observe(self, show: Show, event: Event, reading: Reading | Unavailable | None) -> Finding | None:
        """Return a finding when the line makes the stretch that ends with it one of big words only."""
        if not isinstance(event, Line) or event.weight == 0.0 or is_of_others(reading):
            return None
        account = event.person.account
        if account in self._told or not show.is_presenter(account):
            return None
        said = self._remember(event)
        found = [pair for one in said for pair in one.buzz]
        if not said[-1].buzz or not self._is_full(said, found):
            return None
        del self._said[account]
        if len(self._told) < self.parameters.most_people:
            self._told.add(account)
        words = list(dict(found).values())[:_NAMED]
        minutes = max(1, round(self.parameters.window / 60))
        message = Message("buzzwords.often", {"words": ", ".join(words), "count": len(found), "minutes": minutes})
        weight = self.parameters.weight
        return Finding(self.name, event.person, event.until, 1.0, message, (quote(event, reading),), weight)

    def _remember(self, line: Line) -> deque[Said]:
        plain = normalise(line.text).replace("’", "'")
        buzz = tuple((found.lastgroup or "", found[0].lower()) for found in _BUZZ.finditer(plain))
        said = self._said.setdefault(line.person.account, deque(maxlen=MAX_LINES))
        said.append(Said(line.at, len(plain.split()), buzz, _MEASURE.search(plain) is not None))
        while said[0].at < line.at - self.parameters.window:
            said.popleft()
        if len(self._said) > self.parameters.most_people:
            del self._said[next(iter(self._said))]
        return said

    def _is_full(self, said: deque[Said], found: list[tuple[str, str]]) -> bool:
        p = self.parameters
        if len(found) < p.least or len(dict(found)) < p.least_kinds or any(one.measured for one in said):
            return False
        return len(found) >= p.least_share * sum(one.words for one in said)
