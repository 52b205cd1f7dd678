"""A Janus that dies in mid-show and comes back, with everything behind the room that a running bot has."""

import signal
from pathlib import Path

from bot.commands.janus_people import PeopleProcess
from bot.speech.hearing import Hearing
from detectors.records import Account, Line, RoomState, SeatChange
from tests.bot.janus.watching import watched
from tests.servers.janus import EVENING, ROOM, janus

SEATS = ("@kingofreels", "@studio_bea", "@dom_spokes", "@camille_lyon")


async def sit(people: PeopleProcess, seat: int, at: float) -> None:
    sound = str(EVENING / f"seat{seat}.opus")
    assert await people.do("sit", SEATS[seat - 1], sound=sound, at=at, room=ROOM) is None


async def test_a_show_outlives_its_server_and_the_warning_names_the_right_seat(
    tmp_path: Path, hearing: Hearing
) -> None:
    async with janus(tmp_path) as (server, people), watched(hearing) as watch:
        told = watch.told
        await watch.inside()
        for seat in (1, 2, 3, 4):
            await sit(people, seat, 79.0)
        await told.seen(SeatChange, lambda e: e.seat == 4)
        await told.seen(Line, lambda e: e.kind == "speech" and e.person.name == SEATS[2], 30.0)
        await server.stop(signal.SIGKILL)
        await told.seen(RoomState, lambda e: e.state == "lost")
        await server.start()
        back = await told.seen(RoomState, lambda e: e.state == "back", 20.0)
        async with PeopleProcess() as others:
            for seat in (4, 3, 2, 1):  # the host comes back last, and has the seat still
                await sit(others, seat, 183.0)  # what leads to the offer is heard whole, however slow they are
            assert await watch.warned("kingofreels", 60.0)
            assert not watch.running.done() and watch.told.room.skipped == 0
            assert told.seats() == [(seat, SEATS[seat - 1], "joined") for seat in (1, 2, 3, 4)]
        alerts, evidence, shows = [await watch.rows(table) for table in ("alerts", "evidence", "shows")]
    host = str(Account("janus", "10.77.0.1_8188/1234", "@kingofreels"))
    alert = next(row for row in alerts if row["account"] == host)
    quotes = [row for row in evidence if row["alert"] == alert["id"]]
    assert quotes and {(row["who"], row["seat"]) for row in quotes} == {(SEATS[0], 1)}
    assert min(row["at"] for row in quotes) > back.at
    assert [row["id"] for row in shows] == [alert["show"]]
    assert told.states() == ["open", "lost", "back"]
