"""When digests are due: in both changes of the clocks, in short and long months, and whatever the zone."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.schedule import (
    EVERY,
    Period,
    Schedule,
    fitting_zones,
    known_zones,
    newest_due,
    next_due,
    period_before,
    period_to_now,
)

ZONES = sorted(known_zones())
SCHEDULES = st.builds(Schedule, st.sampled_from(EVERY), st.integers(0, 6), st.integers(0, 23), st.sampled_from(ZONES))
#: Rules of today's zones; a few minutes of some of the oldest ones are no matter of ours.
MOMENTS = st.datetimes(datetime(1996, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
#: Long enough for any gap in a calendar, also where a zone left out a whole day.
MOST = {"day": timedelta(days=2, hours=3), "week": timedelta(days=8, hours=3), "month": timedelta(days=32, hours=3)}
LEAST = {"day": timedelta(hours=20), "week": timedelta(days=6, hours=20), "month": timedelta(days=26, hours=20)}
#: Zones that have left out a day to be on the other side of the date line.
JUMPED = {"Pacific/Apia", "Pacific/Fakaofo", "Pacific/Samoa", "Pacific/Kiritimati", "Pacific/Enderbury"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def period_of(schedule: Schedule, moment: datetime) -> tuple[int, ...]:
    """Return which day, week or month of the place a moment is in."""
    local = moment.astimezone(ZoneInfo(schedule.zone))
    if schedule.every == "day":
        return local.year, local.month, local.day
    if schedule.every == "week":
        return local.isocalendar()[:2]
    return local.year, local.month


@given(SCHEDULES, MOMENTS)
def test_due_moments_go_on_and_on(schedule: Schedule, after: datetime) -> None:
    found = [next_due(schedule, after)]
    for _ in range(5):
        found.append(next_due(schedule, found[-1]))
    assert found[0] > after
    assert found[0] - after <= MOST[schedule.every]
    for earlier, later in itertools.pairwise(found):
        assert LEAST[schedule.every] <= later - earlier <= MOST[schedule.every]
        assert next_due(schedule, later - timedelta(seconds=1)) == later
        assert next_due(schedule, earlier + timedelta(seconds=1)) == later


@given(SCHEDULES, MOMENTS)
def test_one_in_a_period_at_the_hour_of_the_place(schedule: Schedule, after: datetime) -> None:
    due = next_due(schedule, after)
    local = due.astimezone(ZoneInfo(schedule.zone))
    wall = local.replace(tzinfo=None)
    asked = wall.replace(hour=schedule.hour)
    if wall != asked:
        # Only where the hour does not exist: then every hour between does not either.
        early = asked if asked < wall else asked - timedelta(days=1)
        assert wall - early <= timedelta(hours=2) or schedule.zone in JUMPED
        back = early.replace(tzinfo=ZoneInfo(schedule.zone)).astimezone(UTC).astimezone(ZoneInfo(schedule.zone))
        assert back.replace(tzinfo=None, fold=0) != early
        return
    assert (wall.minute, wall.second, wall.microsecond) == (0, 0, 0)
    assert local.fold == 0
    if schedule.every == "week":
        assert wall.weekday() == schedule.weekday
    if schedule.every == "month":
        assert wall.day == 1
    assert period_of(schedule, next_due(schedule, due)) != period_of(schedule, due)


@given(SCHEDULES, MOMENTS)
def test_periods_join_without_gap_or_overlap(schedule: Schedule, after: datetime) -> None:
    due = next_due(schedule, after)
    later = next_due(schedule, due)
    first, second = period_before(schedule, due), period_before(schedule, later)
    assert first.until == second.since == due
    assert first.since == second.before == newest_due(schedule, due - timedelta(seconds=1))
    assert first.before < first.since < first.until
    assert newest_due(schedule, due) == due
    assert newest_due(schedule, later - timedelta(seconds=1)) == due


PARIS, LONDON, MONTREAL = "Europe/Paris", "Europe/London", "America/Montreal"


@pytest.mark.parametrize(
    ("zone", "hour", "after", "due"),
    [
        # Spring: an hour is left out. 02:00 in Paris, 01:00 in London, 02:00 in Montréal do not exist.
        (PARIS, 2, "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:00", "2026-03-31T00:00"]),
        (PARIS, 3, "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T01:00"]),
        (PARIS, 1, "2026-03-28T12:00", ["2026-03-29T00:00", "2026-03-29T23:00", "2026-03-30T23:00"]),
        (PARIS, 9, "2026-03-27T12:00", ["2026-03-28T08:00", "2026-03-29T07:00", "2026-03-30T07:00"]),
        (LONDON, 1, "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:00"]),
        (LONDON, 9, "2026-03-27T12:00", ["2026-03-28T09:00", "2026-03-29T08:00"]),
        (MONTREAL, 2, "2026-03-07T12:00", ["2026-03-08T07:00", "2026-03-09T06:00"]),
        (MONTREAL, 9, "2026-03-06T20:00", ["2026-03-07T14:00", "2026-03-08T13:00"]),
        # Autumn: an hour comes twice. Only its first coming counts.
        (PARIS, 2, "2026-10-24T12:00", ["2026-10-25T00:00", "2026-10-26T01:00", "2026-10-27T01:00"]),
        (PARIS, 2, "2026-10-25T00:30", ["2026-10-26T01:00"]),
        (PARIS, 2, "2026-10-25T01:00", ["2026-10-26T01:00"]),
        (PARIS, 3, "2026-10-24T12:00", ["2026-10-25T02:00", "2026-10-26T02:00"]),
        (LONDON, 1, "2026-10-24T12:00", ["2026-10-25T00:00", "2026-10-26T01:00"]),
        (LONDON, 1, "2026-10-25T00:00", ["2026-10-26T01:00"]),
        (MONTREAL, 1, "2026-10-31T12:00", ["2026-11-01T05:00", "2026-11-02T06:00"]),
        (MONTREAL, 1, "2026-11-01T05:59", ["2026-11-02T06:00"]),
        # The hour left out is the last one of the day; two hours left out; half an hour left out.
        ("America/Nuuk", 23, "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:00"]),
        ("Antarctica/Troll", 2, "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:00"]),
        ("Australia/Lord_Howe", 2, "2026-10-02T20:00", ["2026-10-03T16:00", "2026-10-04T15:00"]),
        # A day that was left out altogether: the next one counts once.
        ("Pacific/Apia", 10, "2011-12-29T00:00", ["2011-12-29T20:00", "2011-12-30T20:00", "2011-12-31T20:00"]),
    ],
)
def test_changes_of_the_clocks(zone: str, hour: int, after: str, due: list[str]) -> None:
    schedule, moment, found = Schedule("day", 0, hour, zone), utc(after), []
    for _ in due:
        moment = next_due(schedule, moment)
        found.append(moment)
    assert found == [utc(one) for one in due]


@pytest.mark.parametrize(
    ("schedule", "due", "period"),
    [
        # A week with a change of the clocks has 167 or 169 hours.
        (Schedule("week", 0, 9, PARIS), "2026-03-30T07:00", ("2026-03-16T08:00", "2026-03-23T08:00")),
        (Schedule("week", 0, 9, PARIS), "2026-10-26T08:00", ("2026-10-12T07:00", "2026-10-19T07:00")),
        (Schedule("week", 6, 2, MONTREAL), "2026-03-08T07:00", ("2026-02-22T07:00", "2026-03-01T07:00")),
        (Schedule("week", 6, 1, LONDON), "2026-10-25T00:00", ("2026-10-11T00:00", "2026-10-18T00:00")),
        # Months have 28 to 31 days, a year ends, and a leap year has a day more.
        (Schedule("month", 0, 8, PARIS), "2026-03-01T07:00", ("2026-01-01T07:00", "2026-02-01T07:00")),
        (Schedule("month", 0, 8, PARIS), "2028-03-01T07:00", ("2028-01-01T07:00", "2028-02-01T07:00")),
        (Schedule("month", 0, 0, LONDON), "2027-01-01T00:00", ("2026-11-01T00:00", "2026-12-01T00:00")),
        (Schedule("month", 0, 0, MONTREAL), "2026-04-01T04:00", ("2026-02-01T05:00", "2026-03-01T05:00")),
        (Schedule("day", 0, 0, "UTC"), "2028-03-01T00:00", ("2028-02-28T00:00", "2028-02-29T00:00")),
    ],
)
def test_what_a_digest_is_about(schedule: Schedule, due: str, period: tuple[str, str]) -> None:
    assert period_before(schedule, utc(due)) == Period(*map(utc, period), utc(due))
    assert next_due(schedule, utc(period[1])) == utc(due)


def test_out_of_turn_it_is_about_as_long_a_time() -> None:
    now = utc("2026-10-21T15:30")
    assert period_to_now(Schedule("week", 0, 9, PARIS), now) == Period(
        utc("2026-10-07T15:30"), utc("2026-10-14T15:30"), now
    )
    # October has 31 days and an hour more; the newest whole month is September.
    assert period_to_now(Schedule("month", 0, 9, PARIS), now).since == utc("2026-09-21T15:30")


@pytest.mark.parametrize(
    ("typed", "first"),
    [("paris", PARIS), ("montr", MONTREAL), ("new york", "America/New_York"), ("europe/lon", LONDON), ("utc", "UTC")],
)
def test_a_zone_is_found_by_what_somebody_types(typed: str, first: str) -> None:
    assert fitting_zones(typed)[0] == first


def test_zones_are_offered_within_discords_limit() -> None:
    assert len(fitting_zones("")) == 25
    assert fitting_zones("<@everyone>") == []
    assert all(len(name) <= 100 for name in known_zones())
