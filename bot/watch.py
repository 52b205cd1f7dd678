"""The watcher: runs one room, keeps its show, and turns events into stored effects."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from bot.delays import Delays
from bot.effects import Effect, OpenAlert
from bot.live_show import LiveShow, Mark
from bot.policy import Policy, View, Watch
from bot.reading import ModelStage
from bot.rooms import Room
from bot.store import Store
from config.settings import PolicySettings
from detectors.records import (
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

#: A snapshot and the counters are written at least this often, in seconds of the show.
WRITE_SECONDS: Final = 30.0
#: Time that passes is told to the detectors in steps of this many seconds of the show, so many at once at most.
TICK_SECONDS: Final = 30.0
MAX_TICKS: Final = 64

#: Who listens changes after the batch under way, if that takes no longer than so many seconds.
HOLD_SECONDS: Final = 10.0


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
        self.watches = tuple(watches)
        self._stage = stage
        self._store = store
        self._settings = settings
        self._observers = tuple(observers)
        self._after_batch = after_batch
        self._memory = memory
        self._live: LiveShow | None = None
        self._busy = False
        #: How long lines take from being said to being read.
        self.delays = Delays()
        #: What the room had passed over as communities came to it.
        self._skipped: dict[str, int] = {}
        #: Held while a batch is handled, and by whoever changes who listens.
        self._handling = asyncio.Lock()
        self._tell_memory()

    def watch_for(self, watches: Sequence[Watch]) -> None:
        """Listen for these watches from now on. The room goes on, and so does what was said to those that stay."""
        there = {watch.community for watch in self.watches}
        self._skipped = {
            watch.community: self._skipped.get(watch.community, 0) if watch.community in there else self.room.skipped
            for watch in watches
        }
        self.watches = tuple(watches)
        self._tell_memory()
        live = self._live
        if live is not None:
            former = {policy.watch.community: policy for policy in live.policies}
            live.policies = [self._policy(live.show, watch, former.get(watch.community)) for watch in watches]
            live.marks = {name: mark for name, mark in live.marks.items() if name in former}
            for watch in watches:
                if watch.community not in former:
                    live.mark(watch.community)

    def _tell_memory(self) -> None:
        if self._memory is not None:
            self._memory.watched(str(self.room.key), {watch.community for watch in self.watches})

    def mark(self, community: str) -> Mark:
        """Return where the room stood when a community came to it; of another show only what was passed over."""
        mark = self._live.marks.get(community, Mark()) if self._live is not None else Mark()
        return replace(mark, skipped=self._skipped.get(community, 0))

    def _note_delays(self, events: Sequence[Event]) -> None:
        """Note how long ago the lines that were just read were said, in a room that goes by the clock."""
        now: float | None = getattr(self.room, "now", None)
        for event in events:
            if now and isinstance(event, Line):
                self.delays.note(now - event.until)

    def _policy(self, show: Show, watch: Watch, former: Policy | None) -> Policy:
        """Return who decides for a watch: as before, if it was there before, else from now on."""
        declared = show.info.host.account if show.info.host else None
        policy = Policy(watch, show.info.id, self._settings, declared, joined=show.at)
        if former is not None and former.watch.host == watch.host:
            policy.restore(former.snapshot())
        return policy

    async def run(self) -> None:
        """Listen until the room's show is over. Raises what the room or the store raises."""
        async with aclosing(self.room.events()) as batches:
            async for batch in batches:
                for part in _split_at_states(batch):
                    async with self._handling:
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

    async def leave(self) -> None:
        """Write where the show stands and let go of it: somebody else may listen to it from now on."""
        await self.save()
        self._live = None

    @asynccontextmanager
    async def between_batches(self) -> AsyncIterator[None]:
        """Hold the room while who listens changes, with everything that was heard before written down.

        A batch that takes too long is not waited for: what it adds counts for those who listen when it is done.
        """
        try:
            async with asyncio.timeout(HOLD_SECONDS):
                await self._handling.acquire()
        except TimeoutError:
            log.warning("%s: a batch takes long; who listens changes meanwhile", self.room.key)
            yield
            return
        try:
            await self.save()
            yield
        finally:
            self._handling.release()

    async def _handle(self, batch: Sequence[Event]) -> None:
        first = batch[0]
        if isinstance(first, RoomState) and first.state == "open" and first.show is not None:
            self._live = await self._open(first.show)
        live = self._live
        if live is None:
            return
        fresh = with_ticks(live.show.at, live.sift(batch))
        readings = await self._stage.read(live.show, fresh)
        self._note_delays(fresh)
        # By community: who listens may change, and with it the policies, while this waits.
        views = {p.watch.community: await self._view(p, live, fresh) for p in live.policies} if fresh else {}
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
                for effect in p.decide(views.get(p.watch.community, View()), episode)
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
        self, live: "LiveShow", event: Event, reading: Reading | Unavailable | None, views: dict[str, View]
    ) -> list[Effect]:
        show = live.show
        show.apply(event)
        if isinstance(event, Line):
            live.count(event, reading)
            live.note_exempt(event)
        observed = live.panel.observe(show, event, reading)
        effects: list[Effect] = []
        for policy in live.policies:
            view = views.get(policy.watch.community)
            if view is None:
                continue  # it came while this was being read
            effects += [policy.note(finding) for finding in observed.findings]
            if observed.episode is not None:
                effects += policy.decide(replace(view, exempt=view.exempt | live.exempt), observed.episode)
        for observer in self._observers:
            observer.read(show, event, reading, observed.episode)
        return effects

    async def _open(self, info: ShowInfo) -> "LiveShow":
        show = Show(info)
        live = LiveShow(show, [self._policy(show, watch, None) for watch in self.watches], self._memory)
        numbers = await self._store.snapshot(self.room.key, info.id)
        if numbers is not None:
            live.restore(numbers)
            log.info("%s goes on at %.0f s", info.id, live.show.at)
        for observer in self._observers:
            observer.opened(live.show)
        return live

    def _close(self, live: "LiveShow") -> None:
        show = live.show
        phases = live.panel.phases(show)
        summary = ShowSummary(
            show.info, show.events, live.known, self.room.skipped, show.unread, live.alerts, show.at, phases
        )
        for observer in self._observers:
            observer.ended(summary)
        self._live = None

    async def _view(self, policy: Policy, live: "LiveShow", batch: Sequence[Event]) -> View:
        accounts = {policy.known_as(event.person).account for event in batch if isinstance(event, Line)}
        half_life = self._settings.prior_half_life_days
        return await self._store.view(policy.watch, live.show.info.id, accounts, half_life)


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
