"""`self_promotion`: how much of what a presenter says points to their own channel, page, book, link. An observation."""

import re
from dataclasses import dataclass, field
from typing import Final

from detectors.normalise import normalise
from detectors.quoting import is_of_others, quote
from detectors.records import Account, Event, Finding, Line, Message, Reading, Unavailable
from detectors.show import Show

_OWN: Final = re.compile(
    r"\b(?:my|our)\s(?:\w+\s)?(?:channel|profile|page|newsletter|website|site|blog|podcast|e-?book|book|links?|bio"
    r"|store|shop|course|masterclass|webinar|program(?:me)?|discord|patreon|telegram|whatsapp|mailing list)\b"
    r"(?! (?:load|crash|club|deal)\w*)"
    r"|\blinks? (?:is |are )?(?:in|on) (?:my |the )?(?:bio|profile|description)\b"
    r"|\b(?:follow|find|add|message|dm) me (?:on|at|over)\b|\b(?:subscribe|sign up|go) (?:to|for) my\b"
    r"|\b(?:ma|mes|mon|notre|nos)\s(?:\w+\s)?(?:chaîne|profil|page|newsletter|infolettre|site|blog|podcast|e-?book"
    r"|livre|liens?|bio|boutique|formations?|masterclass|webinaire|programme|discord|telegram|whatsapp"
    r"|compte (?:insta|tiktok))"
    r"|\bliens? (?:est |sont )?(?:dans|en) (?:ma |la |mon |le )?(?:bio|profil|description)\b"
    r"|\b(?:suis|suivez|rejoins|rejoignez|retrouve|retrouvez|ajoute|ajoutez)[- ](?:moi|nous) (?:sur|dans)\b",
    re.IGNORECASE,
)
#: From this pitch probability on, a line offers something of the speaker's own.
_SELLS: Final = 0.5


@dataclass(frozen=True)
class SelfPromotionParameters:
    """What `self_promotion` is fitted by."""

    least_lines: int = 20  #: lines of a person before their share says anything
    share: float = 0.3  #: share of lines at which it is told first; told again each time that it has doubled
    most_people: int = 500  #: people counted in one show
    weight: float = 0.0  #: what a finding adds, in log-odds


@dataclass(slots=True)
class Count:
    """How many of one person's lines point to their own, and the share that was told last."""

    own: int = 0
    told: float = 0.0


@dataclass
class SelfPromotion:
    """Counts the lines of everybody who presents."""

    parameters: SelfPromotionParameters = field(default_factory=SelfPromotionParameters)
    name: str = "self_promotion"
    _counts: dict[Account, Count] = field(default_factory=dict)

    def observe(self, show: Show, event: Event, reading: Reading | Unavailable | None) -> Finding | None:
        """Return a finding when the line brings its speaker's share to a level that was not told yet."""
        if not isinstance(event, Line) or event.weight == 0.0 or not show.is_presenter(event.person.account):
            return None
        if is_of_others(reading) or not points_to_own(event.text, reading):
            return None
        count = self._counts.setdefault(event.person.account, Count())
        if len(self._counts) > self.parameters.most_people:
            del self._counts[next(iter(self._counts))]
        count.own += 1
        # The show counts lines over a restart, this does not: then a share is told as too small, never as too large.
        lines = show.people[event.person.account].lines
        share = count.own / lines
        if lines < self.parameters.least_lines or share < max(self.parameters.share, 2 * count.told):
            return None
        count.told = share
        params = {"percent": round(100 * share), "lines": lines}
        message, weight = Message("self_promotion.share", params), self.parameters.weight
        score, quotes = round(share, 4), (quote(event, reading),)
        return Finding(self.name, event.person, event.until, score, message, quotes, weight)


def points_to_own(text: str, reading: Reading | Unavailable | None = None) -> bool:
    """Whether a line offers something of the speaker's own, or points to a space of theirs."""
    sells = isinstance(reading, Reading) and reading.pitch >= _SELLS
    return sells or _OWN.search(normalise(text)) is not None
