"""Effects: what policy decides, as data. The store applies them; nothing else acts on a decision."""

import hashlib
from dataclasses import dataclass

from detectors.records import Account, Message, Person, PhaseSpan, Quote, RoomKey, ShowInfo


@dataclass(frozen=True, slots=True)
class AlertBody:
    """What a warning says at one moment. Times in seconds of the show; `score` is a probability."""

    id: str
    community: str
    room: RoomKey
    show: str
    channel: str
    dry_run: bool
    person: Person
    episode: int
    since: float
    at: float
    score: float
    offers: tuple[str, ...]
    cues: tuple[str, ...]
    evidence: tuple[Quote, ...]
    reasons: tuple[Message, ...]
    presenter: Person | None = None


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """A new warning. `held_back` when the cap per hour is reached: stored and counted, not sent.

    `most_per_hour` is that cap for a channel of people, over all shows, in hours of the clock.
    """

    body: AlertBody
    held_back: bool = False
    most_per_hour: int | None = None


@dataclass(frozen=True, slots=True)
class UpdateAlert:
    """An open warning has grown."""

    body: AlertBody


@dataclass(frozen=True, slots=True)
class EndEpisode:
    """The episode behind a warning is over; what comes later is a new one."""

    alert: str
    at: float


@dataclass(frozen=True, slots=True)
class Record:
    """Something worth keeping that warns nobody: a claim, a lone remark, a viewer's advert."""

    community: str
    room: RoomKey
    show: str
    detector: str
    person: Person
    event_id: str
    at: float
    score: float
    message: Message
    quote: str


@dataclass(frozen=True, slots=True)
class Participation:
    """How one person took part in a show so far: talk in seconds, and how many of the lines sold something."""

    person: Person
    lines: int
    selling_lines: int
    words: int
    seconds: float
    seated: bool


@dataclass(frozen=True, slots=True)
class ShowProgress:
    """Where a show stands, once per batch: its people and its counters. `ended` with the timeline at its end."""

    info: ShowInfo
    at: float
    events: int
    unread: int
    dropped: int
    lost_seconds: float
    people: tuple[Participation, ...]
    phases: tuple[PhaseSpan, ...] = ()
    ended: bool = False


Effect = OpenAlert | UpdateAlert | EndEpisode | Record | ShowProgress


def alert_id(community: str, room: RoomKey, show: str, account: Account, episode: int) -> str:
    """Return the id of a warning: the same for the same episode, whoever computes it and however often."""
    parts = "\x1f".join((community, str(room), show, str(account), str(episode)))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]
