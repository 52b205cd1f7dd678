"""The watcher: runs one room, keeps its show, and turns events into stored effects."""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from bot.effects import Effect, OpenAlert, Participation, ShowProgress
from bot.policy import Policy, View, Watch
from bot.reading import ModelStage
from bot.rooms import Room
from bot.store import Snapshot, Store
from config.settings import PolicySettings
from detectors.panel import Panel
from detectors.records import (
    Account,
    EpisodeState,
    Event,
    Line,
    PhaseSpan,
    Reading,
    RoomState,
    ShowInfo,
    Tick,
    Unavailable,
)
from detectors.repeats import RepeatMemory
from detectors.show import Show

log = logging.getLogger(__name__)

#: Event ids remembered, so that the same event twice changes nothing.
MAX_SEEN: Final = 1_024
#: People whose part in a show is written to the store.
MAX_WRITTEN: Final = 300
#: A snapshot and the counters are written at least this often, in seconds of the show.
WRITE_SECONDS: Final = 30.0
#: Time that passes is told to the detectors in steps of this many seconds of the show, so many at once at most.
TICK_SECONDS: Final = 30.0
MAX_TICKS: Final = 64


class Observer(Protocol):
    """Somebody who looks on: the live view, or the writer of a summary. Must not block."""

    def opened(self, show: Show) -> None:
        """A show began (or goes on after a restart)."""

    def read(
        self, show: Show, event: Event, reading: Reading | Unavailable | None, episode: EpisodeState | None
    ) -> None:
        """An event was applied."""

    def ended(self, summary: "ShowSummary") -> None:
        """The show is over, and everything of it is stored."""


@dataclass(frozen=True, slots=True)
class ShowSummary:
    """What became of a show. Seconds of show; `known` events had been handled before a restart."""

    info: ShowInfo
    events: int
    known: int
    skipped: int
    unread: int
    alerts: int
    seconds: float
    phases: tuple[PhaseSpan, ...]


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


class Watcher:
    """Runs one room for all its watches."""

    def __init__(
        self,
        room: Room,
        watches: Sequence[Watch],
        stage: ModelStage,
        store: Store,
        settings: PolicySettings,
        observers: Sequence[Observer] = (),
        after_batch: Callable[[], Awaitable[None]] | None = None,
        memory: RepeatMemory | None = None,
    ) -> None:
        self.room = room
        self._watches = tuple(watches)
        self._stage = stage
        self._store = store
        self._settings = settings
        self._observers = tuple(observers)
        self._after_batch = after_batch
        self._memory = memory
        self._live: _LiveShow | None = None
        self._busy = False

    async def run(self) -> None:
        """Listen until the room's show is over. Raises what the room or the store raises."""
        async with aclosing(self.room.events()) as batches:
            async for batch in batches:
                for part in _split_at_states(batch):
                    self._busy = True
                    await self._handle(part)
                    self._busy = False
                    if self._after_batch is not None:
                        await self._after_batch()

    @property
    def show(self) -> Show | None:
        """The show that is on now."""
        return self._live.show if self._live is not None else None

    async def save(self) -> None:
        """Write where the show stands, before a stop. A batch cut off in the middle is left to the next start."""
        live = self._live
        if live is not None and not self._busy:
            await self._store.apply([live.progress(False, self.room.skipped)], [live.snapshot()])

    async def _handle(self, batch: Sequence[Event]) -> None:
        first = batch[0]
        if isinstance(first, RoomState) and first.state == "open" and first.show is not None:
            self._live = await self._open(first.show)
        live = self._live
        if live is None:
            return
        fresh = with_ticks(live.show.at, live.sift(batch))
        readings = await self._stage.read(live.show, fresh)
        views = {id(p): await self._view(p, live, fresh) for p in live.policies} if fresh else {}
        effects: list[Effect] = []
        for event, reading in zip(fresh, readings, strict=True):
            effects += self._step(live, event, reading, views)
        closed = isinstance(first, RoomState) and first.state == "closed"
        if closed:
            live.show.at = max(live.show.at, first.at)
            ending = live.panel.finish(live.show)
            effects += [
                effect
                for p in live.policies
                for episode in ending
                for effect in p.decide(views.get(id(p), View()), episode)
            ]
        live.alerts += sum(isinstance(effect, OpenAlert) for effect in effects)
        live.handled += sum(not isinstance(event, Tick) for event in fresh)
        # A show that was handled to its end before is left as it is.
        ended = closed and live.handled > 0
        if effects or ended or live.show.at - live.written_at >= WRITE_SECONDS:
            # The show's own row first: everything else refers to it.
            written = [live.progress(closed, self.room.skipped), *effects]
            await self._store.apply(written, [live.snapshot()])
            live.written_at = live.show.at
        if closed:
            self._close(live)

    def _step(
        self, live: "_LiveShow", event: Event, reading: Reading | Unavailable | None, views: dict[int, View]
    ) -> list[Effect]:
        show = live.show
        show.apply(event)
        if isinstance(event, Line):
            live.count(event, reading)
            live.note_exempt(event)
        observed = live.panel.observe(show, event, reading)
        effects: list[Effect] = []
        for policy in live.policies:
            effects += [policy.note(finding) for finding in observed.findings]
            if observed.episode is not None:
                view = views[id(policy)]
                effects += policy.decide(replace(view, exempt=view.exempt | live.exempt), observed.episode)
        for observer in self._observers:
            observer.read(show, event, reading, observed.episode)
        return effects

    async def _open(self, info: ShowInfo) -> "_LiveShow":
        policies = [Policy(watch, info.id, self._settings) for watch in self._watches]
        live = _LiveShow(Show(info), policies, self._memory)
        numbers = await self._store.snapshot(self.room.key, info.id)
        if numbers is not None:
            live.restore(numbers)
            log.info("%s goes on at %.0f s", info.id, live.show.at)
        for observer in self._observers:
            observer.opened(live.show)
        return live

    def _close(self, live: "_LiveShow") -> None:
        show = live.show
        phases = live.panel.phases(show)
        summary = ShowSummary(
            show.info, show.events, live.known, self.room.skipped, show.unread, live.alerts, show.at, phases
        )
        for observer in self._observers:
            observer.ended(summary)
        self._live = None

    async def _view(self, policy: Policy, live: "_LiveShow", batch: Sequence[Event]) -> View:
        accounts: set[Account] = {event.person.account for event in batch if isinstance(event, Line)}
        half_life = self._settings.prior_half_life_days
        return await self._store.view(policy.watch, live.show.info.id, accounts, half_life)


class _LiveShow:
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
        #: Who looks after the room, as the room says.
        self.exempt: frozenset[Account] = frozenset()

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
        }
        return Snapshot(self.show.info.room, self.show.info.id, numbers)

    def restore(self, numbers: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self.show.restore(numbers["show"])
        self.panel.restore(numbers["panel"])
        self.seen.restore(numbers["seen"])
        self.alerts = numbers["alerts"]
        self._selling = {Account.parse(account): count for account, count in numbers["selling"]}
        for policy in self.policies:
            if policy.watch.community in numbers["policies"]:
                policy.restore(numbers["policies"][policy.watch.community])
        self.written_at = self.show.at
        self._catching_up = True


def with_ticks(at: float, events: Sequence[Event]) -> list[Event]:
    """Return `events` with a tick for every `TICK_SECONDS` that pass from `at` on, at most `MAX_TICKS` in a gap.

    More would change nothing: everything that only time can end has ended by then.
    """
    ticked: list[Event] = []
    for event in events:
        first, last = int(at // TICK_SECONDS) + 1, int(event.at // TICK_SECONDS) + 1
        passed = [step * TICK_SECONDS for step in range(max(first, last - MAX_TICKS), last)]
        ticked += [Tick(time) for time in passed]
        ticked.append(event)
        at = max(at, event.at)
    return ticked


def _split_at_states(batch: Sequence[Event]) -> list[list[Event]]:
    """Cut a batch before each opening and closing of the room, so that these stand first in their part."""
    parts: list[list[Event]] = []
    for event in batch:
        starts = isinstance(event, RoomState) and event.state in ("open", "closed")
        if starts or not parts:
            parts.append([])
        parts[-1].append(event)
    return parts
