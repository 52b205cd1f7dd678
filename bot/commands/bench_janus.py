"""`pitchwatch bench --speech --janus`: how many live four-seat shows this machine keeps up with, over real WebRTC.

Janus and the people who speak run on the same machine, in processes of their own: what they take is told apart, and
is missing to the bot. People speak the sample show, one at a time for the most part, in packets as browsers send.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from bot.commands.figures import Figure, percentile, print_figures, resident
from bot.commands.janus_people import PeopleProcess
from bot.commands.janus_server import URL, JanusServer, ServedRoom, is_inside, missing, run_inside
from bot.policy import Watch
from bot.reading import LineReader, ModelStage
from bot.rooms.janus import JanusOptions, JanusRoom
from bot.rooms.janus_seat import Feed, SeatListener
from bot.rooms.janus_session import Secrets, connected
from bot.speech import SpeechError
from bot.speech.hearing import Hearing
from bot.speech.live import LiveSource
from bot.speech.media import Sound
from bot.store import MEMORY, Store
from bot.watch import Watcher
from config.settings import Settings
from detectors.records import Line, Unheard

FOLDER: Final = Path(__file__).parents[2] / "samples" / "sound" / "evening"
#: Shows at once, one after the other, each for so many seconds.
SHOWS: Final = (1, 2, 3, 4, 5, 6)
SECONDS: Final = 40.0
#: A show is kept up with when 95 of 100 segments are read within so many seconds of their end, and none is skipped.
KEPT_UP: Final = 4.0
#: How often four more seats are listened to, for the memory of one.
MORE_SEATS: Final = 3
#: Packets of people, in milliseconds.
PACKET: Final = 20


@dataclass
class Measured:
    """What was seen at one number of shows: lags in seconds, segments skipped, seconds of processor by process."""

    lags: list[float] = field(default_factory=list)
    skipped: int = 0
    lost: int = 0
    wall: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    memory: float = 0.0

    @property
    def keeps_up(self) -> bool:
        """Whether everything was read soon enough."""
        return bool(self.lags) and percentile(self.lags, 95) <= KEPT_UP and not self.skipped

    def share(self, name: str) -> float:
        """Return the share of one core that a process took, in %."""
        return 100.0 * self.spent[name] / self.wall


class _Nowhere(LiveSource):
    """Takes sound and keeps none of it, so that a seat's memory is that of its connection."""

    def push(self, piece: Sound) -> None:
        """Let it go."""


class _Stopwatch:
    """Looks on at a watcher: how long after its end each segment is read."""

    def __init__(self, room: JanusRoom, measured: Measured) -> None:
        self._room = room
        self._measured = measured

    def opened(self, show: object) -> None:
        """Nothing to note."""

    def ended(self, summary: object) -> None:
        """Nothing to note."""

    def read(self, show: object, event: object, reading: object, episode: object) -> None:
        """Note the lag."""
        if isinstance(event, Line) and event.kind == "speech":
            self._measured.lags.append(self._room.now - event.until)
        elif isinstance(event, Unheard):
            self._measured.skipped += 1


def bench_janus(settings: Settings, reader: LineReader, as_json: bool, arguments: Sequence[str]) -> int:
    """Measure and print. Raises SpeechError when Janus cannot run here, or there is nothing to hear with."""
    why = missing()
    if why is not None:
        raise SpeechError(f"bench --janus: {why}")
    if not is_inside():
        return run_inside([sys.executable, "-m", "bot", *arguments])
    print_figures(asyncio.run(_measure(settings, reader, as_json)), as_json)
    return 0


async def _measure(settings: Settings, reader: LineReader, quiet: bool) -> list[Figure]:
    hearing, stage = Hearing(settings.speech), ModelStage(reader)
    await hearing.start()
    found: dict[int, Measured] = {}
    with (
        TemporaryDirectory() as folder,
        Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress,
    ):
        task = progress.add_task("listening", total=1 + len(SHOWS))
        served = [ServedRoom(number, f"Show {number}") for number in range(1, max(SHOWS) + 1)]
        async with JanusServer(Path(folder), served) as server, PeopleProcess(URL, PACKET) as people:
            await _seat(people, 1)
            alone, per_seat = await _in_a_process(SECONDS / 4)
            progress.advance(task)
            for shows in SHOWS:
                if shows > 1:
                    await _seat(people, shows)
                processes = {"Janus": server.pid, "people": people.process.pid}
                found[shows] = await _shows(settings, hearing, stage, shows, processes)
                progress.advance(task)
                if not found[shows].keeps_up:
                    break
    stage.close()
    await hearing.close()
    return [
        *_alone(alone, per_seat),
        *(figure for shows, one in found.items() for figure in _figures(shows, one)),
        *_per_seat(found),
        _most(found),
    ]


async def _seat(people: PeopleProcess, room: int) -> None:
    """Let four people sit down in a room; each room is elsewhere in the sample show."""
    for seat in range(1, 5):
        who, sound = f"seat {seat} of show {room}", str(FOLDER / f"seat{seat}.opus")
        problem = await people.do("sit", who, sound=sound, at=37.0 * (room - 1), room=room)
        if problem is not None:
            raise SpeechError(f"bench --janus: {problem}")


async def _in_a_process(seconds: float) -> tuple[float, float]:
    """Measure WebRTC alone in a process that holds nothing else: what models left free there would hide what it takes.

    Raises SpeechError.
    """
    command = (sys.executable, "-m", "bot.commands.bench_janus", str(seconds))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    if process.returncode != 0:
        raise SpeechError("bench --janus: WebRTC alone could not be measured")
    share, per_seat = json.loads(told)
    return share, per_seat


async def _webrtc_alone(seconds: float) -> tuple[float, float]:
    """Return what four seats cost when nobody listens to their sound: share of a core in %, MiB per seat.

    Memory is that of each seat beyond the first four: with those comes what all share.
    """
    async with connected(URL, Secrets()) as session, AsyncExitStack() as stack:
        handle = await session.attach("videoroom")
        me = {"request": "join", "ptype": "publisher", "room": 1, "display": "bench"}
        feeds = (await handle.request(me)).data["publishers"]

        async def listen() -> float:
            for one in feeds:
                source = _Nowhere("nobody")
                listener = SeatListener(session, Feed(1, one["id"], "0"), source, lambda *_: None)
                stack.push_async_callback(_end, asyncio.create_task(listener.run()))
            await asyncio.sleep(seconds)
            return resident(os.getpid())

        first = await listen()
        began, spent = time.monotonic(), _own_seconds()
        await asyncio.sleep(seconds)
        share = 100.0 * (_own_seconds() - spent) / (time.monotonic() - began)
        for _ in range(MORE_SEATS):
            last = await listen()
        return share, (last - first) / (MORE_SEATS * len(feeds))


async def _shows(
    settings: Settings, hearing: Hearing, stage: ModelStage, shows: int, processes: dict[str, Any]
) -> Measured:
    """Listen to so many shows at once."""
    measured = Measured()
    store = Store(MEMORY, 1.0)
    await store.open()
    pool = hearing.pool
    assert pool is not None
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        rooms = [JanusRoom(f"{URL}#{number}", hearing, JanusOptions()) for number in range(1, shows + 1)]
        for room in rooms:
            watch = Watch("local", room.key, consent=True)
            await store.register([watch], source="bench")
            watcher = Watcher(room, [watch], stage, store, settings.policy, (_Stopwatch(room, measured),))
            stack.push_async_callback(_end, asyncio.create_task(watcher.run()))
        await asyncio.sleep(5.0)  # everybody is in
        measured.lags.clear()
        pids = processes | {"recogniser": pool.processes()[0]}
        began, own, spent = time.monotonic(), _own_seconds(), {name: _seconds(pid) for name, pid in pids.items()}
        await asyncio.sleep(SECONDS)
        measured.wall = time.monotonic() - began
        measured.spent = {name: _seconds(pid) - spent[name] for name, pid in pids.items()}
        measured.spent["bot"] = _own_seconds() - own
        measured.memory = resident(os.getpid())
        measured.skipped += sum(room.skipped for room in rooms)
        visits = [room.visit for room in rooms if room.visit is not None]
        measured.lost = sum(listener.lost for visit in visits for listener in visit.listeners.values())
    return measured


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _seconds(pid: int) -> float:
    """Return the seconds of processor that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _alone(share: float, per_seat: float) -> list[Figure]:
    return [
        Figure("four seats, WebRTC alone: share of a core", share, "%", ("per seat", share / 4)),
        Figure("four seats, WebRTC alone: memory per seat", per_seat, "MiB"),
    ]


def _figures(shows: int, one: Measured) -> list[Figure]:
    name = f"{shows} show{'s' if shows > 1 else ''} of four seats"
    figures = [
        Figure(f"{name}: bot, of a core", one.share("bot"), "%", ("recogniser", one.share("recogniser"))),
        Figure(f"{name}: Janus, of a core", one.share("Janus"), "%", ("people", one.share("people"))),
        Figure(f"{name}: bot's memory", one.memory, "MiB"),
        Figure(f"{name}: segments skipped", float(one.skipped), ""),
        Figure(f"{name}: packets lost", float(one.lost), ""),
    ]
    if one.lags:
        median = percentile(one.lags, 50)
        figures.insert(
            0, Figure(f"{name}: segment end to reading, p95", percentile(one.lags, 95), "s", ("p50", median))
        )
    return figures


def _per_seat(found: dict[int, Measured]) -> list[Figure]:
    """What each further seat takes that is heard and read, by the shows that were kept up with."""
    kept = {shows: one.memory for shows, one in found.items() if one.keeps_up}
    if len(kept) < 2:
        return []
    first, last = min(kept), max(kept)
    each = (kept[last] - kept[first]) / (4 * (last - first))
    return [Figure("each further seat, heard and read: memory", each, "MiB")]


def _most(found: dict[int, Measured]) -> Figure:
    most = max((shows for shows, one in found.items() if one.keeps_up), default=0)
    return Figure(f"live four-seat shows that {os.cpu_count()} cores keep up with", float(most), "shows")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_webrtc_alone(float(sys.argv[1])))))
