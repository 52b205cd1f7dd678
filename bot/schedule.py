"""When a digest is due, by the clock on the wall of a place. Pure: no clock is read here."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

Every = Literal["day", "week", "month"]

#: Hours that a change of the clocks leaves out at most.
_LONGEST_CHANGE: Final = 3
EVERY: Final[tuple[Every, ...]] = get_args(Every)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every day, every week on `weekday` (0 is Monday), or on the first of every month, at a full hour of a zone."""

    every: Every
    weekday: int
    hour: int
    zone: str


@dataclass(frozen=True, slots=True)
class Period:
    """What a digest is about: after `since`, up to and including `until`. The period before began at `before`."""

    before: datetime
    since: datetime
    until: datetime


@cache
def known_zones() -> frozenset[str]:
    """Return the names of all time zones that have a place or a region: `Europe/Paris`, `UTC`."""
    return frozenset(name for name in available_timezones() if "/" in name or name == "UTC")


def fitting_zones(typed: str, most: int = 25) -> list[str]:
    """Return zones in whose name `typed` stands, those first that begin with it or whose city does."""
    wanted = typed.strip().casefold().replace(" ", "_")
    found = [name for name in known_zones() if wanted in name.casefold() and not name.startswith("Etc/")]

    def rank(name: str) -> tuple[int, str]:
        folded = name.casefold()
        return (0 if folded.rpartition("/")[2].startswith(wanted) else 1 if folded.startswith(wanted) else 2, name)

    return sorted(found, key=rank)[:most]


def next_due(schedule: Schedule, after: datetime) -> datetime:
    """Return the first moment (UTC) after an aware moment at which a digest is due."""
    return next(moment for moment in _around(schedule, after) if moment > after)


def newest_due(schedule: Schedule, now: datetime) -> datetime:
    """Return the last moment (UTC) not after `now` at which a digest is due."""
    return max(moment for moment in _around(schedule, now) if moment <= now)


def period_before(schedule: Schedule, due: datetime) -> Period:
    """Return what the digest due at `due` is about: from the one before it on."""
    since = max(moment for moment in _around(schedule, due) if moment < due)
    before = max(moment for moment in _around(schedule, since) if moment < since)
    return Period(before, since, due.astimezone(UTC))


def period_to_now(schedule: Schedule, now: datetime) -> Period:
    """Return a period as long as the newest whole one that ends now, for a digest out of turn."""
    whole = period_before(schedule, newest_due(schedule, now))
    length = whole.until - whole.since
    return Period(now - 2 * length, now - length, now)


def _around(schedule: Schedule, moment: datetime) -> Iterator[datetime]:
    """Yield the moments at which digests are due around a moment, in order: some before, and at least two after."""
    today = moment.astimezone(ZoneInfo(schedule.zone)).date()
    seen: datetime | None = None
    for day in _days(schedule, today):
        due = _at(day, schedule)
        if due != seen:  # a day that a zone left out altogether falls together with the next one
            yield due
        seen = due


def _days(schedule: Schedule, today: date) -> Iterator[date]:
    if schedule.every == "day":
        yield from (today + timedelta(days=days) for days in range(-3, 4))
    elif schedule.every == "week":
        this_week = today - timedelta(days=today.weekday() - schedule.weekday)
        yield from (this_week + timedelta(weeks=weeks) for weeks in range(-3, 4))
    else:
        months = 12 * today.year + today.month - 1
        yield from (date(month // 12, month % 12 + 1, 1) for month in range(months - 2, months + 3))


def _at(day: date, schedule: Schedule) -> datetime:
    """Return the hour of a day. One that does not exist there is the next full one that does; of two, the first."""
    zone = ZoneInfo(schedule.zone)
    asked = datetime(day.year, day.month, day.day, schedule.hour)
    # The last is for a day that a place left out to be on the other side of the date line.
    for later in (*range(_LONGEST_CHANGE + 1), 24):
        local = asked + timedelta(hours=later)
        moment = local.replace(tzinfo=zone).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local:
            return moment
    return asked.replace(tzinfo=zone).astimezone(UTC)
