"""What is remembered of one broadcast while it runs: who sits where, who talks how much, the last lines.

Bounded in all directions, so that a show that never ends does not grow.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any, Final

from detectors.records import (
    Account,
    AccountFact,
    Event,
    Finding,
    Line,
    Person,
    RoomState,
    SeatChange,
    ShowInfo,
    Tick,
    Unheard,
)

#: People remembered at once; the longest silent ones outside the seats are forgotten first.
MAX_PEOPLE: Final = 2_000
#: Lines kept as text, for context and quotes.
MAX_RECENT: Final = 60
#: Lines kept of each person who presents, however much others write meanwhile, for a second look at what they say.
MAX_SAID: Final = 40
#: People and recent lines whose numbers go into a snapshot.
MAX_SNAPSHOT: Final = 300
#: How much all detectors but `arc` together may move an account's episode, in log-odds.
MAX_EXTRA_WEIGHT: Final = 1.0
#: How long a noted weight counts, in seconds of the show.
WEIGHT_SECONDS: Final = 180.0
#: A text room's presenter: share of the words and number of lines within a stretch of seconds.
PRESENTER_SHARE: Final = 0.4
PRESENTER_LINES: Final = 8
PRESENTER_WINDOW: Final = 1_800.0


@dataclass(slots=True)
class Presence:
    """How one person took part: words, lines and seconds so far, when last, and whether ever on a seat.

    `weights` holds each detector's newest weight and the show time at which it was noted, `said` the newest lines of
    somebody who presents.
    """

    person: Person
    words: int = 0
    lines: int = 0
    seconds: float = 0.0
    last_at: float = 0.0
    seated: bool = False
    weights: dict[str, tuple[float, float]] = field(default_factory=dict)
    said: deque[Line] = field(default_factory=lambda: deque(maxlen=MAX_SAID), compare=False)


class Show:
    """The memory of one broadcast. `apply` every event in order, then ask."""

    def __init__(self, info: ShowInfo) -> None:
        self.info = info
        self.at = 0.0
        self.events = 0
        self.lost_seconds = 0.0
        self.unread = 0
        self.seats: dict[int, Person] = {}
        self.people: OrderedDict[Account, Presence] = OrderedDict()
        self.facts: OrderedDict[Account, AccountFact] = OrderedDict()
        self.recent: deque[Line] = deque(maxlen=MAX_RECENT)
        self._talk: deque[tuple[float, Account, int]] = deque(maxlen=2_000)
        self._lost_since: float | None = None
        #: After which event `is_presenter` last had to count, for whom, and the answer: every detector asks anew.
        self._asked: tuple[tuple[int, float, Account] | None, bool] = (None, False)

    def apply(self, event: Event) -> None:
        """Take one event into the memory. Time never runs back."""
        self.at = max(self.at, event.at)
        if isinstance(event, Tick):
            return
        if isinstance(event, RoomState):
            self._state(event)
            return
        self.events += 1
        if isinstance(event, Line):
            self._line(event)
        elif isinstance(event, SeatChange):
            self._seat(event)
        elif isinstance(event, Unheard):
            self.unread += 1
            self.lost_seconds += event.until - event.at
        else:
            self.facts[event.person.account] = event
            self.facts.move_to_end(event.person.account)
            while len(self.facts) > MAX_PEOPLE:
                self.facts.popitem(last=False)

    def recall(self, line: Line) -> None:
        """Take a line that was counted before a restart as context for what comes next."""
        self.recent.append(line)
        self._keep(line)

    def said_by(self, account: Account) -> list[Line]:
        """Return the newest lines of somebody who presents, oldest first; of others none."""
        presence = self.people.get(account)
        return list(presence.said) if presence else []

    def note(self, finding: Finding) -> None:
        """Remember the weight of a detector's newest finding about an account."""
        self._presence(finding.person).weights[finding.detector] = (finding.weight, finding.at)

    def extra_weight(self, account: Account) -> float:
        """Sum of the weights noted lately, in log-odds, within ± `MAX_EXTRA_WEIGHT`."""
        presence = self.people.get(account)
        noted = presence.weights.values() if presence else ()
        total = sum(weight for weight, at in noted if self.at - at <= WEIGHT_SECONDS)
        return max(-MAX_EXTRA_WEIGHT, min(MAX_EXTRA_WEIGHT, total))

    def is_presenter(self, account: Account) -> bool:
        """Whether the account presents: the declared host, anyone who has sat on a seat, or, in a room of text
        alone, whoever wrote most of it lately."""
        if self.info.host is not None and self.info.host.account == account:
            return True
        presence = self.people.get(account)
        if presence is not None and presence.seated:
            return True
        asked = (self.events, self.at, account)
        if self._asked[0] != asked:
            self._asked = (asked, not self.seats and not self._has_stage() and self._writes_most(account))
        return self._asked[1]

    def presenters(self) -> list[Person]:
        """The people who present, the declared host first."""
        host = self.info.host
        others = [
            p.person for p in self.people.values() if p.seated and (host is None or p.person.account != host.account)
        ]
        return ([host] if host else []) + others

    def _writes_most(self, account: Account) -> bool:
        words = lines = total = 0
        for at, who, count in self._talk:
            if at < self.at - PRESENTER_WINDOW:
                continue
            total += count
            if who == account:
                words, lines = words + count, lines + 1
        return lines >= PRESENTER_LINES and words >= PRESENTER_SHARE * total

    def _has_stage(self) -> bool:
        return any(presence.seated for presence in self.people.values())

    def _line(self, line: Line) -> None:
        presence = self._presence(line.person)
        words = len(line.text.split()) if line.weight > 0.0 else 0
        presence.words += words
        presence.lines += 1
        presence.seconds += line.until - line.at
        presence.last_at = line.at
        presence.seated = presence.seated or line.kind == "speech"
        if line.seat is not None:
            self.seats[line.seat] = line.person  # whoever speaks from a seat sits there, announced or not
        if line.weight == 0.0:
            return  # probably nobody's words: no context for anything
        self.recent.append(line)
        self._talk.append((line.at, line.person.account, words))
        self._keep(line)

    def _keep(self, line: Line) -> None:
        presence = self.people.get(line.person.account)
        if presence is not None and self.is_presenter(line.person.account):
            presence.said.append(line)

    def _seat(self, change: SeatChange) -> None:
        if change.change == "joined":
            self.seats[change.seat] = change.person
            self._presence(change.person).seated = True
        elif (sitting := self.seats.get(change.seat)) is not None and sitting.account == change.person.account:
            del self.seats[change.seat]

    def _state(self, state: RoomState) -> None:
        if state.state == "lost":
            self._lost_since = state.at if self._lost_since is None else self._lost_since
        elif self._lost_since is not None:
            self.lost_seconds += max(0.0, self.at - self._lost_since)
            self._lost_since = None

    def _presence(self, person: Person) -> Presence:
        presence = self.people.get(person.account)
        if presence is None:
            presence = self.people[person.account] = Presence(person)
            self._forget()
        else:
            presence.person = person
        self.people.move_to_end(person.account)
        return presence

    def _forget(self) -> None:
        if len(self.people) <= MAX_PEOPLE:
            return
        on_seats = {person.account for person in self.seats.values()}
        for account in self.people:
            if account not in on_seats:
                del self.people[account]
                return

    def snapshot(self) -> dict[str, Any]:
        """Return the numbers of this memory, without any text, as JSON-able values. Who presents comes along first."""
        return {
            "at": self.at,
            "events": self.events,
            "lost_seconds": self.lost_seconds,
            "unread": self.unread,
            "lost_since": self._lost_since,
            "seats": {str(seat): [str(p.account), p.name] for seat, p in self.seats.items()},
            "people": [
                [str(p.person.account), p.person.name, p.words, p.lines, p.seconds, p.last_at, p.seated, p.weights]
                for p in sorted(self.people.values(), key=lambda p: p.seated)[-MAX_SNAPSHOT:]
            ],
            "talk": [[at, str(who), words] for at, who, words in list(self._talk)[-MAX_SNAPSHOT:]],
        }

    def restore(self, numbers: dict[str, Any]) -> None:
        """Go on from what `snapshot` returned. The last lines' texts are gone; context fills up again."""
        self.at = numbers["at"]
        self.events = numbers["events"]
        self.lost_seconds = numbers["lost_seconds"]
        self.unread = numbers["unread"]
        self._lost_since = numbers["lost_since"]
        self.seats = {int(s): Person(Account.parse(key), name) for s, (key, name) in numbers["seats"].items()}
        for key, name, words, lines, seconds, last_at, seated, weights in numbers["people"]:
            person = Person(Account.parse(key), name)
            noted = {name: _noted(weight, last_at) for name, weight in weights.items()}
            self.people[person.account] = Presence(person, words, lines, seconds, last_at, seated, noted)
        self._talk.extend((at, Account.parse(who), words) for at, who, words in numbers["talk"])


def _noted(stored: list[float] | float, last_at: float) -> tuple[float, float]:
    """Return a weight with its time; snapshots from before weights faded hold the weight alone."""
    weight, at = stored if isinstance(stored, list) else (stored, last_at)
    return weight, at
