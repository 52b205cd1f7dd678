"""A show under way: what of it was handled, what it counted, and where it goes on after a restart."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.effects import Participation, ShowProgress
from bot.policy import Policy
from bot.store import Snapshot
from detectors.panel import Panel
from detectors.records import Account, Event, Line, Reading, Tick, Unavailable
from detectors.repeats import RepeatMemory
from detectors.show import Show

#: Event ids remembered, so that the same event twice changes nothing.
MAX_SEEN: Final = 1_024
#: People whose part in a show is written to the store.
MAX_WRITTEN: Final = 300


class Seen:
    """Which events were handled. Remembers the newest ids; anything older than what it forgot counts as handled.

    Ids that end in `#` and a number come in that order from their source (what stands before the `#`).
    """

    def __init__(self) -> None:
        self._ids: OrderedDict[str, float] = OrderedDict()
        self._floor = -1.0
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def add(self, event_id: str, at: float) -> bool:
        """Note an event; return whether it is new."""
        source, _, number = event_id.rpartition("#")
        if source and number.isdecimal():
            return self._add_numbered(source, int(number))
        if event_id in self._ids or at <= self._floor:
            return False
        self._ids[event_id] = at
        if len(self._ids) > MAX_SEEN:
            _, gone_at = self._ids.popitem(last=False)
            self._floor = max(self._floor, gone_at)
        return True

    def _add_numbered(self, source: str, number: int) -> bool:
        if number <= self._numbers.get(source, -1):
            return False
        self._numbers[source] = number
        self._numbers.move_to_end(source)
        if len(self._numbers) > MAX_SEEN:
            self._numbers.popitem(last=False)
        return True

    def snapshot(self) -> list[Any]:
        """Return what `restore` takes."""
        return [self._floor, list(self._ids.items()), list(self._numbers.items())]

    def restore(self, numbers: list[Any]) -> None:
        """Go on from a snapshot."""
        self._floor, ids, sources = numbers
        self._ids = OrderedDict((event_id, at) for event_id, at in ids)
        self._numbers = OrderedDict((source, number) for source, number in sources)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a room stood when a community came to it: what was before is no business of it. Times in seconds."""

    at: float = 0.0
    lost_seconds: float = 0.0
    unread: int = 0
    skipped: int = 0


class LiveShow:
    """A show under way with everything that is remembered about it."""

    def __init__(self, show: Show, policies: list[Policy], memory: RepeatMemory | None = None) -> None:
        self.show = show
        self.panel = Panel(memory=memory)
        self.policies = policies
        self.seen = Seen()
        self.known = 0
        self.alerts = 0
        self.written_at = 0.0
        self.handled = 0
        self._catching_up = False
        self._selling: dict[Account, int] = {}
        #: Where the show stood as communities came to it, of those that were not there from its beginning.
        self.marks: dict[str, Mark] = {}
        #: Who looks after the room, as the room says.
        self.exempt: frozenset[Account] = frozenset()

    def mark(self, community: str) -> None:
        """Keep where the show stands as a community comes to it."""
        self.marks[community] = Mark(self.show.at, self.show.lost_seconds, self.show.unread)

    def note_exempt(self, line: Line) -> None:
        """Learn from the newest line of somebody whether they look after the room."""
        account = line.person.account
        if line.exempt != (account in self.exempt):
            kept = {other for other in self.exempt if other in self.show.people and other != account}
            self.exempt = frozenset(kept | {account} if line.exempt else kept)

    def sift(self, batch: Sequence[Event]) -> list[Event]:
        """Return the events that were not handled before.

        After a restart, a source that plays from its beginning brings back the words that a snapshot does not hold:
        they are context for what comes next, and nothing else.
        """
        fresh = []
        for event in batch:
            if self._is_new(event):
                fresh.append(event)
                self._catching_up = False
            elif self._catching_up and isinstance(event, Line):
                self.show.recall(event)
        return fresh

    def _is_new(self, event: Event) -> bool:
        if isinstance(event, Tick):
            return event.at > self.show.at
        new = self.seen.add(event.id, event.at)
        self.known += not new
        return new

    def count(self, line: Line, reading: Reading | Unavailable | None) -> None:
        """Count a line that sold something, and one that nobody could read."""
        if isinstance(reading, Unavailable):
            self.show.unread += 1
        elif (
            reading is not None
            and line.weight > 0.0
            and reading.act == "pitch"
            and line.person.account in self.show.people
        ):
            self._selling[line.person.account] = self._selling.get(line.person.account, 0) + 1
            if len(self._selling) > 2 * MAX_WRITTEN:
                self._selling = {a: n for a, n in self._selling.items() if a in self.show.people}

    def progress(self, ended: bool, dropped: int) -> ShowProgress:
        """Return where the show stands, for the store."""
        show, phases = self.show, self.panel.phases(self.show)
        newest = list(show.people.values())[-MAX_WRITTEN:]
        people = tuple(
            Participation(p.person, p.lines, self._selling.get(p.person.account, 0), p.words, p.seconds, p.seated)
            for p in newest
        )
        return ShowProgress(
            show.info, show.at, show.events, show.unread, dropped, show.lost_seconds, people, phases, ended
        )

    def snapshot(self) -> Snapshot:
        """Return the numbers from which the show goes on after a restart."""
        numbers = {
            "show": self.show.snapshot(),
            "panel": self.panel.snapshot(),
            "seen": self.seen.snapshot(),
            "alerts": self.alerts,
            "selling": [[str(account), count] for account, count in self._selling.items()],
            "policies": {policy.watch.community: policy.snapshot() for policy in self.policies},
            "marks": {name: [mark.at, mark.lost_seconds, mark.unread] for name, mark in self.marks.items()},
        }
        return Snapshot(self.show.info.room, self.show.info.id, numbers)

    def restore(self, numbers: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self.show.restore(numbers["show"])
        self.panel.restore(numbers["panel"])
        self.seen.restore(numbers["seen"])
        self.alerts = numbers["alerts"]
        self._selling = {Account.parse(account): count for account, count in numbers["selling"]}
        marks = numbers.get("marks", {})
        for policy in self.policies:
            community = policy.watch.community
            if community not in numbers["policies"]:
                policy.joined = self.show.at
                self.mark(community)
                continue
            policy.restore(numbers["policies"][community])
            if community in marks:
                self.marks[community] = Mark(*marks[community])
            elif policy.joined:
                self.marks[community] = Mark(at=policy.joined)
        self.written_at = self.show.at
        self._catching_up = True
