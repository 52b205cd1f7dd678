"""Who in a Janus room was told that the bot listens, and who is still to be told. Pure; times are of any one clock.

It outlasts single visits: a server that lets the bot in and drops it again and again must not fill the chat.
"""

from collections.abc import Mapping
from typing import Final

from detectors.records import Account, Person

#: Who sits down after this many seconds since the last announcement, and was not told yet, is told again.
TELL_AGAIN_SECONDS: Final = 600.0
#: People who are remembered as told.
MAX_TOLD: Final = 5_000


class Notices:
    """What was announced so far, over all visits to one room."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._in_this_visit = False
        self._numbers: frozenset[int | str] = frozenset()
        self._accounts: frozenset[Account] = frozenset()

    def enter(self) -> None:
        """A visit begins: Janus's numbers may mean others, and the chat may have forgotten what was said in it."""
        self._in_this_visit, self._numbers = False, frozenset()

    def forget(self) -> None:
        """The show is over: the next one's people are told anew."""
        self._accounts = frozenset()

    def told(self, people: Mapping[int | str, Person], now: float) -> None:
        """Everybody who is in the room was told."""
        self._at, self._in_this_visit = now, True
        self._numbers = frozenset(people)
        accounts = frozenset(person.account for person in people.values())
        self._accounts = accounts | self._accounts if len(self._accounts) < MAX_TOLD else accounts

    def is_old(self, now: float) -> bool:
        """Whether the last announcement was so long ago that it is made again on coming in."""
        return self._at is None or now - self._at > TELL_AGAIN_SECONDS

    def is_due(self, number: int | str, person: Person, now: float) -> bool:
        """Whether somebody on a seat must be told before they are listened to.

        Not who was there at an announcement of this show; nor who came soon after one, which stands in the chat still.
        """
        if number in self._numbers or person.account in self._accounts:
            return False
        due = not self._in_this_visit or self.is_old(now)
        if not due and len(self._accounts) < MAX_TOLD:
            self._accounts |= {person.account}
        return due
