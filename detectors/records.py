"""The records that flow through the house: events from rooms, readings of lines, findings of detectors.

All are frozen values. Times called `at` and `until` are seconds since the show began; wall-clock times are aware
`datetime`s and called otherwise. Text in these records is as it was said or written, cut at `MAX_TEXT`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

#: Longest text of a line that is kept, in characters. Longer ones are cut by the room.
MAX_TEXT: Final = 4_000
#: Seats on the stage are numbered from 1.
MAX_SEATS: Final = 4

Kind = Literal["speech", "chat"]
Phase = Literal["teach", "talk", "pitch"]


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """Who somebody is on a platform: a stable id on one server. Handles are shown, never compared across servers."""

    platform: str
    server: str
    id: str

    def __str__(self) -> str:
        return f"{self.platform}:{self.server}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Account":
        """Read `platform:server:id` back (the id may hold colons). Raises ValueError when a part is missing."""
        platform, server, own_id = text.split(":", 2)
        return cls(platform, server, own_id)


@dataclass(frozen=True, slots=True)
class Person:
    """An account as it is seen in a room: the account and the name shown there at the moment."""

    account: Account
    name: str


@dataclass(frozen=True, slots=True)
class RoomKey:
    """A place on a platform: the kind of room (which file opens it) and the address within that kind."""

    kind: str
    address: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.address}"


@dataclass(frozen=True, slots=True)
class ShowInfo:
    """One broadcast in a room. `lang` is a hint; `host` is the declared host, if any; `started` is wall-clock."""

    id: str
    room: RoomKey
    title: str = ""
    host: Person | None = None
    lang: str | None = None
    started: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeatChange:
    """Somebody took (`joined`) or left a seat."""

    id: str
    at: float
    seat: int
    person: Person
    change: Literal["joined", "left"]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing said or written. `weight` is 0 for phrases that a recogniser invents, 1 for all others.

    `exempt` when the room knows that the person looks after it: nothing is said of them, unless a community wants it.
    """

    id: str
    at: float
    until: float
    person: Person
    text: str
    kind: Kind
    seat: int | None = None
    lang: str | None = None
    weight: float = 1.0
    exempt: bool = False

    @property
    def who(self) -> str:
        """The speaker as one comparable string."""
        return str(self.person.account)


@dataclass(frozen=True, slots=True)
class AccountFact:
    """A known figure about an account: followers as a source gave them on a day (`as_of`, ISO date)."""

    id: str
    at: float
    person: Person
    followers: int
    source: str
    as_of: str


@dataclass(frozen=True, slots=True)
class RoomState:
    """The room opened (with its show), closed, was lost, or came back after being lost."""

    id: str
    at: float
    state: Literal["open", "closed", "lost", "back"]
    show: ShowInfo | None = None


@dataclass(frozen=True, slots=True)
class Unheard:
    """Somebody spoke and nobody listened: too much was said at once, or the recogniser failed."""

    id: str
    at: float
    until: float
    person: Person
    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; the watcher adds these so that episodes end when nobody talks."""

    at: float


Event = SeatChange | Line | AccountFact | RoomState | Unheard | Tick


@dataclass(frozen=True, slots=True)
class Reading:
    """What the models make of a line. `acts` sum to 1; offers and cues are probabilities of their own.

    `by` says who read it: the transformer, or the gate that passes clearly harmless chat by. `unsure` says that its
    pitch probability lies in the band in which the classifier abstains: such a line is too often taken wrongly.
    `passage` is the pitch probability of the passage that the line ends, from a second look; None where there was none.
    """

    acts: Mapping[str, float]
    offers: Mapping[str, float]
    cues: Mapping[str, float]
    lang: str
    by: Literal["gate", "transformer"] = "transformer"
    unsure: bool = False
    passage: float | None = None

    @property
    def pitch(self) -> float:
        """Probability that the line is a pitch."""
        return self.acts["pitch"]

    @property
    def act(self) -> str:
        """The most probable act."""
        return max(self.acts, key=self.acts.__getitem__)


@dataclass(frozen=True, slots=True)
class Unavailable:
    """It could not be looked at. Never the same as having found nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that count as evidence, with their place in the show and the pitch probability they were read with."""

    event_id: str
    at: float
    until: float
    person: Person
    kind: Kind
    text: str
    pitch: float
    seat: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Words for a person, by key in `config/texts` and the values to fill in."""

    key: str
    params: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one detector saw in one event about one account.

    `weight` is in log-odds and is added, bounded, to the account's episode score; 0 makes it an observation.
    """

    detector: str
    person: Person
    at: float
    score: float
    message: Message
    quotes: tuple[Quote, ...] = ()
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class EpisodeState:
    """How far one account's episode has come: from `arc`, whenever it is above a low floor or has just ended.

    `logit` is the evidence in log-odds before any community's view of the account; `number` counts the account's
    episodes within the show from 1; `evidence` holds the newest quotes, oldest first, bounded.
    """

    person: Person
    number: int
    since: float
    at: float
    logit: float
    phase: Phase
    offers: tuple[str, ...]
    cues: tuple[str, ...]
    evidence: tuple[Quote, ...]
    reasons: tuple[Message, ...]
    passages: int = 1
    presenter: Person | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """A stretch of the show's timeline."""

    at: float
    until: float
    phase: Phase
