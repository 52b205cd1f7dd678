"""What happens in a Janus room, told by a real one. Each test runs in a private network: see tests/servers/janus.py."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.commands.janus_people import PeopleProcess, play_show, read_rows
from bot.commands.janus_server import URL, ServedRoom
from bot.rooms import RoomError, RoomLostError
from bot.rooms import janus as janus_module
from bot.rooms.janus import JanusOptions, JanusRoom
from bot.rooms.janus_chat import ChatRoom, joined
from bot.rooms.janus_session import Secrets, connected
from bot.speech import RATE
from bot.speech.ear import EarSettings, Said
from bot.speech.hearing import Hearing
from bot.speech.live import LiveSource
from bot.speech.media import Sound
from detectors.records import Account, Line, RoomState, SeatChange, Unheard
from tests.bot.janus.watching import watched
from tests.bot.speech.sounds import CLIPS, clips, load, word_errors, write_sound
from tests.servers.janus import EVENING, ROOM, janus, listening

SEATS = ("@kingofreels", "@studio_bea", "@dom_spokes", "@camille_lyon")


def sound(seat: int) -> str:
    return str(EVENING / f"seat{seat}.opus")


async def sit(people: PeopleProcess, who: str, seat: int, at: float = 20.0, **more: Any) -> str | None:
    return await people.do("sit", who, **{"sound": sound(seat), "at": at, "room": ROOM, **more})


async def write(people: PeopleProcess, who: str, text: str) -> None:
    assert await people.do("write", who, text=text, room=ROOM) is None


async def test_seats_audience_and_chat(tmp_path: Path) -> None:
    async with janus(tmp_path) as (_, people), listening(None) as told:
        await told.inside()
        for number, who in enumerate(SEATS, 1):
            assert await sit(people, who, number) is None
        opened = await told.seen(RoomState, lambda e: e.state == "open")
        assert opened.show is not None and opened.show.title == "Four seats, one evening"
        await told.seen(SeatChange, lambda e: e.person.name == SEATS[3])
        assert told.seats() == [(number, who, "joined") for number, who in enumerate(SEATS, 1)]
        # A fifth is refused, and stays to look on.
        refused = await sit(people, "@fifth", 1, leave_if_refused=False)
        assert refused is not None and "432" in refused
        await write(people, "@tom", "is this \x1b[31mrecorded?\n")
        line = await told.seen(Line, lambda e: e.kind == "chat")
        assert (line.person.name, line.text) == ("@tom", "is this  [31mrecorded?")
        assert line.person.account == Account("janus", "10.77.0.1_8188/1234", "@tom")
        assert [person.name for person in told.room.stage.audience] == ["@fifth"]
        # A swap in mid-show: who leaves makes room for the next.
        assert await people.do("rise", SEATS[2]) is None
        await told.seen(SeatChange, lambda e: e.change == "left")
        assert await sit(people, "@nell_oatlane", 3) is None
        await told.seen(SeatChange, lambda e: e.person.name == "@nell_oatlane")
        assert told.seats()[4:] == [(3, "@dom_spokes", "left"), (3, "@nell_oatlane", "joined")]
        # A host who writes in the chat is the host; without hearing, nobody was listened to.
        await write(people, SEATS[0], "welcome")
        line = await told.seen(Line, lambda e: e.text == "welcome")
        assert line.person.account.id == SEATS[0]
        assert told.room.visit is not None and told.room.visit.listeners == {} and told.room.skipped == 0


async def test_more_than_four_seats_names_twice_and_pin(tmp_path: Path) -> None:
    served = ServedRoom(ROOM, "Six", publishers=7, pin="1234")
    options = JanusOptions(seats=6, pin="1234")
    async with janus(tmp_path, served) as (_, people), PeopleProcess() as others, listening(None, options) as told:
        await told.inside()
        for who in ("Ana", "b", "c", "d"):
            assert await sit(people, who, 1, pin="1234") is None
        for who in ("ANA", "f", "g"):
            assert await sit(others, who, 1, pin="1234") is None
        await told.seen(SeatChange, lambda e: e.seat == 6)
        assert await others.do("write", "ana", text="me too", room=ROOM, pin="1234") is None
        line = await told.seen(Line, lambda e: e.text == "me too")
    assert [who for _, who, _ in told.seats()] == ["Ana", "b", "c", "d", "ANA (2)", "f"]
    accounts = {e.person.account.id for e in told.events if isinstance(e, SeatChange) and "na" in e.person.name.lower()}
    assert accounts == {"ana", "ana (2)"} and line.person.account.id == "ana"
    assert told.room.skipped == 1  # a seventh publishes, and no more than six seats are listened to


async def test_who_may_not_come_in_is_told_so(tmp_path: Path) -> None:
    served = (ServedRoom(ROOM, "open"), ServedRoom(5, "shut", pin="secret"))
    async with janus(tmp_path, *served) as (server, _):
        for pin in (None, "wrong"):
            async with listening(None, JanusOptions(pin=pin), room=5) as told:
                error = await told.failed()
                assert isinstance(error, RoomError) and "docs/janus.md" in str(error) and "secret" not in str(error)
        async with listening(None, room=99) as told:
            assert isinstance(await told.failed(), RoomLostError)  # it may be made yet
        async with connected(URL, Secrets()) as session, listening(None) as told:
            handle = await session.attach("videoroom")
            me = {"request": "join", "ptype": "publisher", "room": ROOM, "display": "admin"}
            await handle.request(me)
            bot = (await handle.next()).data["joining"]
            assert bot["display"] == "Pitchwatch"
            kick = {"request": "kick", "room": ROOM, "id": bot["id"], "secret": served[0].secret}
            await handle.request(kick)
            error = await told.failed()
            assert isinstance(error, RoomError) and "sent out" in str(error)
        await server.stop()
        async with listening(None) as told:
            assert isinstance(await told.failed(), RoomLostError)


def wer(texts: Sequence[str], lines: Sequence[str]) -> float:
    wrong, said = word_errors(" ".join(texts), " ".join(lines))
    return wrong / said


def talk(path: Path) -> tuple[str, list[str]]:
    """Somebody who hardly pauses for 15 s, as sound in packets of 20 ms; and what is said."""
    english = [clip for clip in clips() if clip["lang"] == "en" and "seat" not in clip][:2]
    parts = [part for clip in english for part in (np.zeros(8_000, np.float32), load(CLIPS / clip["file"]))]
    return str(write_sound(path, np.concatenate(parts), "libopus")), [clip["text"] for clip in english]


async def test_nobody_is_listened_to_before_everybody_was_told(tmp_path: Path, hearing: Hearing) -> None:
    options = JanusOptions(announcement="We listen.\nNous écoutons.")
    read: list[tuple[str, str, int]] = []
    rooms: list[JanusRoom] = []

    def note(username: str, display: str, text: str) -> None:
        visit = rooms[0].visit  # without a room nothing is read, and the test fails
        read.append((display, text, len(visit.listeners) if visit else 0))

    async with janus(tmp_path) as (_, people):
        assert await people.do("sit", "Ana", sound=talk(tmp_path / "talk.ogg")[0], room=ROOM) is None
        # Who reads is there before the bot: what was written earlier is not told.
        async with (
            connected(URL, Secrets()) as session,
            joined(session, ChatRoom(ROOM, "reader"), note),
            listening(hearing, options) as told,
        ):
            rooms.append(told.room)
            await told.seen(Line, lambda e: e.kind == "speech", 30.0)
    # The line of the chat came while nobody was listened to yet.
    assert read == [("Pitchwatch", "We listen.\nNous écoutons.", 0)]


async def test_who_is_there_before_the_bot_has_a_seat_and_what_was_written_before_is_not_told(tmp_path: Path) -> None:
    async with janus(tmp_path) as (_, people):
        for number, who in enumerate(SEATS[:3], 1):
            assert await sit(people, who, number) is None
        await write(people, "@tom", "before")
        async with listening(None) as told:
            await told.inside()
            await told.seen(SeatChange, lambda e: e.seat == 3)
            await write(people, "@tom", "after")
            await told.seen(Line, lambda e: e.kind == "chat")
    assert [e.text for e in told.events if isinstance(e, Line)] == ["after"]
    # Janus does not tell who sat down first.
    assert [(seat, change) for seat, _, change in told.seats()] == [(1, "joined"), (2, "joined"), (3, "joined")]
    assert {who for _, who, _ in told.seats()} == set(SEATS[:3])


async def test_lost_packets_cost_no_more_than_themselves(tmp_path: Path, hearing: Hearing) -> None:
    path, texts = talk(tmp_path / "talk.ogg")
    async with janus(tmp_path) as (_, people), listening(hearing) as told:
        await told.inside()
        await asyncio.gather(
            people.do("sit", "whole", sound=path, room=ROOM),
            people.do("sit", "holes", sound=path, room=ROOM, loss=0.03),
        )
        length = len(load(Path(path))) / 16_000
        for who in ("whole", "holes"):
            await told.seen(Line, lambda e, who=who: e.person.name == who and e.until > length + 2.0, length + 10.0)
        assert told.room.visit is not None
        seats = {sitting.person.name: number for number, sitting in told.room.stage.seated.items()}
        heard = {who: told.room.visit.listeners[number] for who, number in seats.items()}
        shares = {who: one.lost / (one.lost + one.frames) for who, one in heard.items()}
        assert shares["whole"] == 0.0 and 0.01 < shares["holes"] < 0.06, shares
        assert all(one.placer.dropped == one.placer.jumps == 0 for one in heard.values())
        found = {who: wer(texts, [e.text for e in told.lines(who) if e.at < length]) for who in heard}
        print("word errors", found, "packets lost", shares)
        assert found["whole"] < 0.1 and found["holes"] < found["whole"] + 0.1, found


async def test_frozen_killed_and_muted_speakers(tmp_path: Path, hearing: Hearing) -> None:
    path, _ = talk(tmp_path / "talk.ogg")
    async with (
        janus(tmp_path) as (_, people),
        PeopleProcess() as frozen,
        PeopleProcess() as killed,
        listening(hearing) as told,
    ):
        await told.inside()
        for process, who in ((people, "host"), (people, "muted"), (frozen, "frozen"), (killed, "killed")):
            assert await process.do("sit", who, sound=path, room=ROOM) is None
        stop = (await told.seen(SeatChange, lambda e: e.seat == 4)).at + 4.0
        await asyncio.sleep(4.0)  # in the middle of what all four say
        frozen.process.send_signal(signal.SIGSTOP)
        killed.process.kill()
        await people.do("mute", "muted")
        left = await told.seen(SeatChange, lambda e: e.change == "left", 5.0)
        assert left.person.name == "killed"
        # What was said until then is heard, although nothing follows; the others go on.
        for who in ("frozen", "killed", "muted"):
            line = await told.seen(Line, lambda e, who=who: e.person.name == who, 10.0)
            assert line.until < stop + 1.0 and len(line.text.split()) >= 4, line
        host = await told.seen(Line, lambda e: e.person.name == "host" and e.until > stop + 1.0, 15.0)
        frozen.process.send_signal(signal.SIGCONT)
        await people.do("unmute", "muted")
        for who in ("frozen", "muted"):
            line = await told.seen(Line, lambda e, who=who: e.person.name == who and e.at > stop + 1.0, 20.0)
            assert line.at > host.until - 2.0, (line, host)
        assert not [e for e in told.events if isinstance(e, RoomState) and e.state == "lost"]


async def test_a_frozen_seat_is_subscribed_to_anew(
    tmp_path: Path, hearing: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with janus(tmp_path) as (_, people), listening(hearing) as told:
        assert await people.do("sit", "host", sound=talk(tmp_path / "talk.ogg")[0], room=ROOM) is None
        line = await told.seen(Line, lambda e: e.kind == "speech", 20.0)
        # From here on only: the first connection may take longer than a second.
        monkeypatch.setattr("bot.rooms.janus_seat.SILENT_SECONDS", 1.0)
        assert told.room.visit is not None
        (listener,) = told.room.visit.listeners.values()
        await people.do("mute", "host")
        async with asyncio.timeout(20.0):
            while listener.connections < 2:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.1)
        await people.do("unmute", "host")
        await told.seen(Line, lambda e: e.at > line.until + 1.0, 20.0)
        assert not [e for e in told.events if isinstance(e, Unheard)]  # nobody can tell: muted, perhaps


async def test_janus_is_killed_and_comes_back(
    tmp_path: Path, hearing: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.rooms.janus_visit.KEEP_SECONDS", 4.0)
    async with janus(tmp_path) as (server, people), listening(hearing) as told:
        path, _ = talk(tmp_path / "talk.ogg")
        await told.inside()
        for who in SEATS[:2]:
            assert await people.do("sit", who, sound=path, room=ROOM) is None
        await told.seen(SeatChange, lambda e: e.seat == 2)
        await told.seen(Line, lambda e: e.kind == "speech", 20.0)
        await server.stop(signal.SIGKILL)
        lost = await told.seen(RoomState, lambda e: e.state == "lost", 5.0)
        await server.start()
        async with PeopleProcess() as others:
            assert await others.do("sit", SEATS[1], sound=path, room=ROOM) is None
            back = await told.seen(RoomState, lambda e: e.state == "back", 10.0)
            line = await told.seen(Line, lambda e: e.kind == "speech" and e.at > back.at, 20.0)
        assert lost.at < back.at and (line.person.name, line.seat) == (SEATS[1], 2)
        await told.seen(SeatChange, lambda e: e.change == "left", 10.0)
        assert told.seats()[:3] == [(1, SEATS[0], "joined"), (2, SEATS[1], "joined"), (1, SEATS[0], "left")]
        assert len([e for e in told.events if isinstance(e, RoomState) and e.state == "open"]) == 1


async def test_janus_that_hangs_and_stays_away_ends_the_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(janus_module, "GIVE_UP_SECONDS", 1.0)
    monkeypatch.setattr("bot.rooms.janus_session.KEEPALIVE_SECONDS", 0.5)
    monkeypatch.setattr("bot.rooms.janus_session.ANSWER_SECONDS", 2.0)
    async with janus(tmp_path) as (server, people), listening(None) as told:
        await told.inside()
        await write(people, "@tom", "hello")
        await told.seen(Line, lambda e: e.text == "hello")
        os.kill(server.pid or 0, signal.SIGSTOP)  # nothing closes: only the keepalive is not answered
        await told.seen(RoomState, lambda e: e.state == "lost")
        await server.stop(signal.SIGKILL)
        assert isinstance(await told.failed(20.0), RoomLostError)
        states = [e.state for e in told.events if isinstance(e, RoomState)]
        assert states == ["open", "lost", "closed"]


def spoken(begin: float, end: float) -> dict[str, list[str]]:
    """What each person of the sample says within some seconds of it."""
    texts: dict[str, list[str]] = {}
    for row in read_rows(EVENING / "spoken.jsonl"):
        if row["type"] == "speech" and row["at"] >= begin and row["until"] <= end:
            texts.setdefault(row["who"], []).append(row["text"])
    return texts


async def heard_from_file(hearing: Hearing, seat: int, begin: float, end: float) -> str:
    """What the same recogniser hears in the same seconds of a seat's file."""
    samples = load(EVENING / f"seat{seat}.opus")[round(begin * RATE) : round(end * RATE)]
    source = LiveSource("file")
    for first in range(0, len(samples), RATE):
        source.push(Sound(first / RATE, samples[first : first + RATE]))
    source.finish()
    ear = await hearing.ear(source, EarSettings())
    async with aclosing(ear.listen()) as listening_to:
        said = [coming.heard async for coming in listening_to if isinstance(coming, Said)]
    return " ".join(heard.text for heard in said if heard is not None)


async def test_a_whole_show_is_warned_about_and_the_right_person_is_named(tmp_path: Path, hearing: Hearing) -> None:
    begin, end = 118.9, 222.6
    async with janus(tmp_path) as (_, people), watched(hearing) as watch:
        told = watch.told
        await watch.inside()
        await play_show(people, EVENING, ROOM, (begin, end))
        # Nell has the last word, at 218.8 s.
        await told.seen(Line, lambda e: e.person.name == "@nell_oatlane" and e.at > 98.0)
        assert await watch.warned("kingofreels")
        assert not watch.running.done() and told.room.now > 95.0  # longer than a session lives without being kept alive
        alerts, evidence = await watch.rows("alerts"), await watch.rows("evidence")
    assert "lost" not in told.states()
    # The host is warned about: the right account, and in the evidence the right seat.
    host = Account("janus", "10.77.0.1_8188/1234", "@kingofreels")
    assert {alert["account"].rpartition("@")[2] for alert in alerts} <= {"kingofreels", "team_devon", "studio_bea"}
    alert = next(alert for alert in alerts if alert["account"] == str(host))
    by_host = [row for row in evidence if row["alert"] == alert["id"] and row["kind"] == "speech"]
    places = {e.person.name: e.seat for e in told.events if isinstance(e, SeatChange) and e.change == "joined"}
    assert {(row["who"], row["seat"]) for row in by_host} == {(by_host[0]["who"], places["@kingofreels"])}
    assert (places["@dom_spokes"], "@dom_spokes", "left") in told.seats()
    assert places["@nell_oatlane"] == places["@dom_spokes"]
    # Heard through the room about as well as from the file.
    texts = spoken(begin, end)
    wrong = said = from_file = 0
    sat = {1: ["@kingofreels"], 2: ["@studio_bea"], 3: ["@dom_spokes", "@nell_oatlane"], 4: ["@camille_lyon"]}
    for seat, people_there in sat.items():
        reference = " ".join(text for who in people_there for text in texts.get(who, []))
        live = " ".join(line.text for who in people_there for line in told.lines(who))
        wrong, said = wrong + word_errors(reference, live)[0], said + word_errors(reference, live)[1]
        from_file += word_errors(reference, await heard_from_file(hearing, seat, begin, end))[0]
    print(f"words wrong: {wrong} of {said} through the room, {from_file} from the files")
    assert said > 150 and wrong / said <= from_file / said + 0.05
