"""`automation`: claims of the trade in automatic posting, messages and bots. An observation.

Unlimited posting on all platforms, one post on ten networks, automatic messages to every new follower, bots that
comment. Warnings about such things, denials, and questions from the audience are none of these.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from detectors.normalise import normalise
from detectors.quoting import is_of_others, quote
from detectors.records import Account, Event, Finding, Line, Message, Reading, Unavailable
from detectors.show import Show

_MANY: Final = r"(?:\d{1,3}|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|every|all|multiple|dozens of)"
_NETS: Final = r"(?:platforms?|networks?|socials|social media|channels?|accounts)"
_PLENTY: Final = r"(?:\d{1,3}|cinq|six|sept|huit|neuf|dix|douze|quinze|vingt|chaque|tous [lt]es|toutes [lt]es)"
_RESEAUX: Final = r"(?:réseaux?|plateformes?|comptes)"
_ROUTES: Final = re.compile(  # what makes many posts automatic ones
    r"\b(?:at once|at the same time|in one (?:click|go)|with one click|automatic\w*|on autopilot|auto-?post\w*|for you"
    r"|d'un (?:seul )?(?:coup|clic)|en (?:un|1) clic|en même temps|à la fois|automatique\w*|en automatique)\b",
    re.IGNORECASE,
)
_FAR: Final = re.compile(
    rf"\bposts?(?:ing|s|ed)?\b[\w' ]{{0,30}}?\b(?:to|on|across)\s{_MANY}\s(?:of )?(?:the |your )?(?:\w+\s)?{_NETS}\b"
    rf"|\b(?:post|publi)\w*\b[\w' ]{{0,30}}?\b(?:sur|dans)\s{_PLENTY}\s(?:\w+\s)?{_RESEAUX}\b",
    re.IGNORECASE,
)
_SORTS: Final = (
    (
        "automation.posting",
        r"unlimited (?:auto-?)?(?:posts?|posting|publishing)\b[\w' ]{0,20}\b(?:platform|network|social|account)\w*",
        rf"posts? (?:without limits?|unlimited)\b[\w' ]{{0,20}}\b{_NETS}\b",
        r"(?:publications?|posts?|publi\w+|poste\w*) (?:\w+ )?(?:illimité\w*|en illimité|sans limites?)\b"
        rf"[\w' ]{{0,20}}\b{_RESEAUX}",
    ),
    (
        "automation.messages",
        r"auto(?:matic(?:ally)?|mated)?[- ]?(?:\w+ )?(?:dms?|messages?|replies|welcomes?|greets?)\b[\w' ]{0,25}"
        r"\b(?:new|every|each) (?:new )?(?:followers?|subscribers?|members?)\b",
        r"(?:messages?|dms?|welcomes?|writes to) (?:every|each|all)(?: of)?(?: your| the)? new"
        r" (?:followers?|subscribers?)\b",
        r"(?:messages?|mp|dm) (?:privés? )?automatiques?\b[\w' ]{0,20}\b(?:abonné|follower)\w*",
        r"(?:message|écri\w+|dm|répon\w+|envo\w+)\b[\w' ]{0,25}\bautomatiquement\b[\w' ]{0,25}"
        r"\b(?:abonné|follower)\w*",
        r"automatiquement un (?:message|mp|dm)\b[\w' ]{0,25}\b(?:abonné|follower)\w*",
    ),
    (
        "automation.bots",
        r"(?:(?:my|our|the|a|this|with|these) (?:\w+ )?bots?|bots) (?:that |which |will |can )*"
        r"(?:auto-?)?(?:comment|like|follow)(?:s|ing)?\b",
        r"auto-?(?:comment|like|follow)(?:s|er|ers|ing)?\b[\w' ]{0,20}\b(?:for you|on autopilot|tool|bots?|posts?)\b",
        r"(?:bots?|robots?) (?:qui |va |vont |peut |peuvent )*(?:commente|like|aime|suive?|s'abonne)(?:nt|r)?\b",
    ),
)
_PATTERNS: Final = tuple(
    (key, re.compile("|".join(rf"\b(?:{form})" for form in forms), re.IGNORECASE)) for key, *forms in _SORTS
)
# "You never have to post again": no denial.
_RELIEF: Final = re.compile(
    r"\b(?:don't|do not|never|won't|no longer|not|n'(?:as|avez|auras?)|plus|pas|jamais)\s(?:\w+\s)?"
    r"(?:have to|need to|besoin|à)\b|\bno (?:need|effort|code|limits?|work|more)\b",
    re.IGNORECASE,
)
_AGAINST: Final = re.compile(
    r"\b(?:don't|do not|doesn't|never|not|no|avoid|stop|against|bann?(?:ed|s)?|hates?|spam\w*|fake|tired of|instead of"
    r"|blocks?|blocked|ne|n'\w+|pas|jamais|aucun|évite[rsz]?|arrête[rsz]?|contre|interdit\w*|déteste\w*|bannir?|faux"
    r"|plutôt que|marre)\b",
    re.IGNORECASE,
)
_ASKED: Final = re.compile(
    r"\?|^(?:(?:so|hey|hi|ok|and|but|wait|et|mais|donc|alors|salut)\W+)?(?:who|what|which|how|why|when|where|can|could|do|does|did|is|are|should|would|any(?:one|body)|qui"
    r"|quel\w*|comment|pourquoi|est-ce|c'est quoi|peut-on|faut-il|y a-t-il|quelqu'un)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class AutomationParameters:
    """What `automation` is fitted by."""

    most_people: int = 500  #: people remembered in one show
    weight: float = 0.0  #: what a finding adds, in log-odds


@dataclass
class Automation:
    """Notes each sort of claim once per person and show."""

    parameters: AutomationParameters = field(default_factory=AutomationParameters)
    name: str = "automation"
    _told: dict[Account, set[str]] = field(default_factory=dict)

    def observe(self, show: Show, event: Event, reading: Reading | Unavailable | None) -> Finding | None:
        """Return the first claim in the line of a sort that its speaker has not made before."""
        if not isinstance(event, Line) or event.weight == 0.0 or is_of_others(reading):
            return None
        account = event.person.account
        for key, words in find_automation(event.text):
            if _ASKED.search(normalise(event.text)) and not show.is_presenter(account):
                return None
            told = self._told.setdefault(account, set())
            if len(self._told) > self.parameters.most_people:
                del self._told[next(iter(self._told))]
            if key not in told:
                told.add(key)
                message, weight = Message(key, {"words": words}), self.parameters.weight
                return Finding(self.name, event.person, event.until, 1.0, message, (quote(event, reading),), weight)
        return None


def find_automation(text: str) -> Iterator[tuple[str, str]]:
    """Yield message key and words of the claims in `text` that it does not speak against."""
    plain = normalise(text).replace("’", "'")
    found = [(key, match) for key, pattern in _PATTERNS if (match := pattern.search(plain))]
    if (far := _FAR.search(plain)) and _ROUTES.search(plain):
        found.append(("automation.posting", far))
    if found and not _AGAINST.search(_RELIEF.sub(" ", plain)):
        yield from ((key, match[0].strip()) for key, match in found)
