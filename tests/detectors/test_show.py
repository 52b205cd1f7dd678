"""What is remembered of a broadcast, and for how long."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.records import Account, AccountFact, Event, Finding, Line, Message, RoomState, SeatChange, Tick
from detectors.show import MAX_EXTRA_WEIGHT, MAX_PEOPLE, MAX_RECENT, MAX_SAID, MAX_SNAPSHOT, Presence, Show
from tests.stand_ins import chat, person, show_info, speech

NAMES = ("@host", "@guest", "@ana", "@bob", "@zoe")


def show_with(*events: Event, host: str | None = None) -> Show:
    show = Show(show_info(host))
    for event in events:
        show.apply(event)
    return show


def joined(at: float, who: str, seat: int = 1) -> SeatChange:
    return SeatChange(f"s{at}", at, seat, person(who), "joined")


def left(at: float, who: str, seat: int = 1) -> SeatChange:
    return SeatChange(f"s{at}", at, seat, person(who), "left")


def fact(at: float, who: str, followers: int = 312) -> AccountFact:
    return AccountFact(f"f{at}", at, person(who), followers, "profile", "2026-10-01")


def state(at: float, what: str) -> RoomState:
    return RoomState(f"r{at}", at, what)  # type: ignore[arg-type]


def weighing(who: str, detector: str, weight: float) -> Finding:
    return Finding(detector, person(who), 0.0, 1.0, Message("x"), (), weight)


def written(who: str, words: int, lines: int, at: float = 0.0) -> list[Line]:
    return [chat(n, at + n, who, "word " * words) for n in range(lines)]


@pytest.mark.parametrize(
    ("host", "events", "presenters"),
    [
        ("@host", [], ["@host"]),
        (None, [], []),
        (None, [chat(1, 1.0, "@ana", "hi")], []),
        (None, [joined(0.0, "@guest")], ["@guest"]),
        ("@host", [joined(0.0, "@guest", 2), joined(1.0, "@host", 1)], ["@host", "@guest"]),
        # whoever has sat there goes on presenting
        ("@host", [joined(0.0, "@guest"), left(9.0, "@guest")], ["@host", "@guest"]),
        # speaking is sitting, announced or not
        (None, [speech(1, 0.0, "@guest", "hello")], ["@guest"]),
        (None, [speech(1, 0.0, "@guest", "hello"), chat(2, 1.0, "@ana", "hi")], ["@guest"]),
    ],
)
def test_presenters(host: str | None, events: list[Event], presenters: list[str]) -> None:
    show = show_with(*events, host=host)
    assert [one.name for one in show.presenters()] == presenters
    assert [name for name in NAMES if show.is_presenter(person(name).account)] == presenters


@pytest.mark.parametrize(
    ("events", "presents"),
    [
        (written("@ana", 10, 8), True),
        (written("@ana", 10, 7), False),
        # 40 % of the words
        ([*written("@ana", 10, 8), *written("@bob", 120, 1, 20.0)], True),
        ([*written("@ana", 10, 8), *written("@bob", 121, 1, 20.0)], False),
        # of the last half hour
        ([*written("@bob", 500, 1), *written("@ana", 10, 8, 1_801.0)], True),
        ([*written("@ana", 10, 8), Tick(1_800.0)], True),
        ([*written("@ana", 10, 8), Tick(1_801.0)], False),
        # where nobody is heard
        ([*written("@ana", 10, 8), joined(20.0, "@bob"), left(21.0, "@bob")], False),
        ([*written("@ana", 10, 8), speech(9, 20.0, "@bob", "hello")], False),
    ],
)
def test_a_room_of_text_is_presented_by_who_writes_most(events: list[Event], presents: bool) -> None:
    assert show_with(*events).is_presenter(person("@ana").account) is presents


@pytest.mark.parametrize(
    ("events", "seats"),
    [
        ([joined(0.0, "@host"), joined(1.0, "@guest", 3)], {1: "@host", 3: "@guest"}),
        ([joined(0.0, "@host"), joined(1.0, "@guest")], {1: "@guest"}),
        ([joined(0.0, "@host"), left(1.0, "@host")], {}),
        # whoever leaves late does not take the next one along
        ([joined(0.0, "@host"), joined(1.0, "@guest"), left(2.0, "@host")], {1: "@guest"}),
        ([left(0.0, "@host", 2)], {}),
        ([speech(1, 0.0, "@host", "hi", seat=4), chat(2, 1.0, "@ana", "hi")], {4: "@host"}),
    ],
)
def test_seats(events: list[Event], seats: dict[int, str]) -> None:
    assert {seat: sitting.name for seat, sitting in show_with(*events).seats.items()} == seats


def test_presence_whole() -> None:
    show = show_with(
        speech(1, 10.0, "@host", "one two three", seconds=4.0),
        chat(2, 20.0, "@host", "four five"),
        chat(3, 21.0, "@ana", "six"),
        Tick(60.0),
    )
    assert list(show.people.values()) == [
        Presence(person("@host"), words=5, lines=2, seconds=4.0, last_at=20.0, seated=True),
        Presence(person("@ana"), words=1, lines=1, seconds=0.0, last_at=21.0, seated=False),
    ]
    assert (show.at, show.events, [line.id for line in show.recent]) == (60.0, 3, ["show-1/1", "show-1/2", "show-1/3"])


def test_time_never_runs_back() -> None:
    assert show_with(Tick(60.0), chat(1, 20.0, "@ana", "late")).at == 60.0


def test_a_person_is_shown_by_the_newest_name() -> None:
    renamed = replace(person("@ana"), name="Ana ✨")
    show = show_with(chat(1, 0.0, "@ana", "hi"), replace(chat(2, 1.0, "@ana", "hi"), person=renamed))
    assert [(one.person, one.lines) for one in show.people.values()] == [(renamed, 2)]


def test_the_newest_fact_is_kept() -> None:
    show = show_with(fact(0.0, "@host", 300), fact(5.0, "@host", 340), fact(6.0, "@ana", 9))
    assert {account.id: known.followers for account, known in show.facts.items()} == {"@host": 340, "@ana": 9}


@pytest.mark.parametrize(
    ("states", "lost"),
    [
        ([(10.0, "lost"), (50.0, "back")], 40.0),
        ([(10.0, "lost"), (20.0, "lost"), (50.0, "back")], 40.0),
        ([(10.0, "lost"), (50.0, "back"), (60.0, "back")], 40.0),
        ([(10.0, "lost"), (50.0, "back"), (60.0, "lost"), (65.0, "closed")], 45.0),
        ([(10.0, "back"), (20.0, "closed")], 0.0),
        ([(0.0, "open"), (10.0, "lost")], 0.0),
    ],
)
def test_lost_time(states: list[tuple[float, str]], lost: float) -> None:
    show = show_with(*(state(at, what) for at, what in states))
    assert (show.lost_seconds, show.events) == (lost, 0)


@pytest.mark.parametrize(
    ("weights", "total"),
    [
        ([], 0.0),
        ([("a", 0.25), ("b", 0.5)], 0.75),
        ([("a", 0.25), ("a", 0.5)], 0.5),  # the newest of each detector
        ([("a", 5.0), ("b", 5.0)], MAX_EXTRA_WEIGHT),
        ([("a", -5.0)], -MAX_EXTRA_WEIGHT),
    ],
)
def test_extra_weight(weights: list[tuple[str, float]], total: float) -> None:
    show = show_with(chat(1, 0.0, "@ana", "hi"))
    for detector, weight in weights:
        show.note(weighing("@ana", detector, weight))
    assert show.extra_weight(person("@ana").account) == total
    assert show.extra_weight(person("@bob").account) == 0.0


@pytest.mark.parametrize(("at", "total"), [(0.0, 0.25), (190.0, 0.25), (190.1, 0.0)])
def test_a_weight_counts_for_three_minutes(at: float, total: float) -> None:
    show = show_with(chat(1, 0.0, "@ana", "hi"))
    show.note(replace(weighing("@ana", "links", 0.25), at=10.0))
    show.apply(Tick(at))
    assert show.extra_weight(person("@ana").account) == total


def test_a_snapshot_from_before_weights_had_a_time_is_read() -> None:
    show = show_with(chat(1, 20.0, "@ana", "hi"), Tick(40.0))
    show.note(weighing("@ana", "links", 0.5))
    numbers = json.loads(json.dumps(show.snapshot()))
    assert numbers["people"][0][-1] == {"links": [0.5, 0.0]}
    numbers["people"][0][-1] = {"links": 0.5}
    old = Show(show.info)
    old.restore(numbers)
    assert old.people[person("@ana").account].weights == {"links": (0.5, 20.0)}
    assert old.extra_weight(person("@ana").account) == 0.5


def test_people_are_bounded_and_those_on_seats_stay() -> None:
    show = show_with(joined(0.0, "@guest"), chat(0, 1.0, "@first", "hi"), chat(1, 2.0, "@second", "hi"))
    for number in range(MAX_PEOPLE - 1):
        show.apply(chat(number + 2, number + 3.0, f"@v{number}", "hi"))
        if number == 0:
            show.apply(chat(1, 3.5, "@first", "hi again"))
    assert len(show.people) == MAX_PEOPLE
    kept = {account.id for account in show.people}
    # Of the two more than there is room for, the longest silent went: not the one on a seat, nor who spoke again.
    assert {"@guest", "@first", "@second", "@v0", "@v1"} & kept == {"@guest", "@first", "@v1"}


def test_facts_and_lines_are_bounded() -> None:
    show = show_with(*(fact(float(n), f"@v{n}") for n in range(MAX_PEOPLE + 5)))
    assert [account.id for account in show.facts] == [f"@v{n}" for n in range(5, MAX_PEOPLE + 5)]
    lines = [chat(n, 9_000.0 + n, "@ana", "hi") for n in range(MAX_RECENT + 5)]
    for line in lines:
        show.apply(line)
    assert list(show.recent) == lines[5:]


def test_a_fact_told_again_is_not_the_oldest_one() -> None:
    facts = [fact(0.0, "@ana"), *(fact(float(n), f"@v{n}") for n in range(1, MAX_PEOPLE)), fact(9_000.0, "@ana")]
    show = show_with(*facts, fact(9_001.0, "@new"))
    assert {"@ana", "@v1", "@new"} & {account.id for account in show.facts} == {"@ana", "@new"}


@pytest.mark.parametrize(("more", "presents"), [(1_992, True), (2_000, False)])
def test_who_writes_most_is_told_from_the_last_two_thousand_lines(more: int, presents: bool) -> None:
    show = show_with(*written("@ana", 400, 8), *(chat(n, 10.0, f"@v{n}", "hi") for n in range(more)))
    assert show.is_presenter(person("@ana").account) is presents


def restored(show: Show) -> Show:
    made = Show(show.info)
    made.restore(json.loads(json.dumps(show.snapshot())))
    return made


def test_restored_whole() -> None:
    show = show_with(
        joined(0.0, "@host", 2),
        speech(1, 10.0, "@host", "secret words", seat=2),
        chat(2, 20.0, "@ana", "more secret words"),
        state(30.0, "lost"),
        Tick(40.0),
        host="@host",
    )
    show.unread = 3
    show.note(weighing("@host", "links", 0.5))
    copy = restored(show)
    assert "secret" not in json.dumps(show.snapshot())
    assert (copy.at, copy.events, copy.unread, copy.seats) == (40.0, 3, 3, {2: person("@host")})
    assert list(copy.people.values()) == [
        Presence(person("@ana"), words=3, lines=1, seconds=0.0, last_at=20.0),
        Presence(person("@host"), 2, 1, 6.0, 10.0, seated=True, weights={"links": (0.5, 0.0)}),
    ]
    copy.apply(state(50.0, "back"))
    assert copy.lost_seconds == 20.0


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    at, made = 0.0, list[Event]()
    for number in range(draw(st.integers(0, 30))):
        at += draw(st.sampled_from([0.0, 1.0, 30.0, 900.0]))
        who, seat = draw(st.sampled_from(NAMES)), draw(st.integers(1, 4))
        text = "word " * draw(st.integers(1, 9))
        made.append(
            draw(
                st.sampled_from(
                    [
                        Tick(at),
                        joined(at, who, seat),
                        left(at, who, seat),
                        chat(number, at, who, text),
                        chat(number, at, who, text),
                        speech(number, at, who, text, seat=seat),
                        state(at, "lost"),
                        state(at, "back"),
                    ]
                )
            )
        )
    return made


def view(show: Show) -> tuple[object, ...]:
    """Everything that is asked of a show, but its texts and known figures."""
    accounts = [person(name).account for name in NAMES]
    return (
        (show.at, show.events, show.lost_seconds, show.unread, show.seats, show.presenters()),
        [show.is_presenter(account) for account in accounts],
        [show.extra_weight(account) for account in accounts],
        dict(show.people),
        show.snapshot(),
    )


@given(events(), st.integers(0, 30), st.sampled_from([None, "@host"]))
def test_goes_on_from_a_snapshot(happened: list[Event], cut: int, host: str | None) -> None:
    whole = show_with(*happened[:cut], host=host)
    copy = restored(whole)
    assert view(copy) == view(whole)
    for event in happened[cut:]:
        whole.apply(event)
        copy.apply(event)
    assert view(copy) == view(whole)


def test_a_snapshot_is_bounded_and_keeps_who_presents() -> None:
    crowd = [chat(n, 10.0 + n, f"@v{n}", "hi") for n in range(MAX_SNAPSHOT + 50)]
    show = show_with(joined(0.0, "@guest"), left(1.0, "@guest"), *crowd)
    numbers = show.snapshot()
    assert (len(numbers["people"]), len(numbers["talk"])) == (MAX_SNAPSHOT, MAX_SNAPSHOT)
    copy = restored(show)
    assert copy.is_presenter(person("@guest").account)
    assert copy.people[Account("replay", "script", crowd[-1].person.name)].lines == 1


def test_what_a_presenter_said_is_kept_apart_from_the_chat() -> None:
    show = Show(show_info("@host"))
    lines = [speech(n, 9.0 * n, "@host", f"line {n}") for n in range(MAX_SAID + 5)]
    for line in lines:
        show.apply(line)
        show.apply(chat(1000, line.until, "@ana", "hello"))
    show.apply(replace(speech(900, 500.0, "@host", "thanks for watching"), weight=0.0))
    assert show.said_by(person("@host").account) == lines[-MAX_SAID:]
    assert show.said_by(person("@ana").account) == show.said_by(person("@nobody").account) == []


def test_what_a_presenter_said_before_a_restart_is_recalled() -> None:
    show, after = Show(show_info("@host")), Show(show_info("@host"))
    line = speech(1, 0.0, "@host", "hello")
    show.apply(line)
    after.restore(show.snapshot())
    after.recall(line)
    assert after.said_by(person("@host").account) == [line]
