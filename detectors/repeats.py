"""`repeats`: nearly the same text from several accounts, or in several rooms. An observation.

Only lines that may advertise are compared and remembered: what everybody says ("good morning everyone") is none of
its business, and would push the rest out of the memory within a minute of busy chat.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from detectors.quoting import is_of_others, quote
from detectors.records import Account, Event, Finding, Line, Message, Reading, Unavailable
from detectors.show import Show
from detectors.signatures import NEAR_BITS, signature
from detectors.urls import sure_links

#: Texts remembered at once, over all shows.
MAX_REMEMBERED: Final = 5_000
#: The same when a show is alone.
MAX_ALONE: Final = 1_000
#: Rooms of which it is remembered who watches them; one that was forgotten counts for no other.
MAX_ROOMS: Final = 10_000


class RepeatMemory:
    """The newest signatures of all shows, each with whose it was and where, as numbers that lead back to nobody.

    A room counts for another only where everybody who watches the other watches it too: what is noted in a show is told
    to all its watchers, and none of them may learn what is said where only others listen.
    """

    def __init__(self, size: int = MAX_REMEMBERED) -> None:
        #: Rows: signatures, accounts, rooms.
        self._kept = np.zeros((3, size), np.uint64)
        self._next = 0
        self._filled = 0
        self._watchers: OrderedDict[int, frozenset[str]] = OrderedDict()

    def watched(self, room: str, by: Iterable[str]) -> None:
        """Note which communities watch a room from now on."""
        number = _number(room)
        self._watchers[number] = frozenset(by)
        self._watchers.move_to_end(number)
        if len(self._watchers) > MAX_ROOMS:
            self._watchers.popitem(last=False)

    def __len__(self) -> int:
        return self._filled

    def add(self, signed: int, account: str, room: str) -> tuple[int, int]:
        """Remember a text; return how many accounts and rooms it is known of by now, these ones included.

        What one account says again in the same room takes no second place, so that nobody can fill the memory alone.
        """
        own = (_number(account), _number(room))
        known = self._kept[:, : self._filled]
        near = known[1:, np.bitwise_count(known[0] ^ np.uint64(signed)) <= NEAR_BITS]
        pairs = {(who, where) for who, where in zip(*near.tolist(), strict=True) if self._may_know(own[1], where)}
        if own not in pairs:
            self._kept[:, self._next] = signed, *own
            self._next = (self._next + 1) % self._kept.shape[1]
            self._filled = min(self._filled + 1, self._kept.shape[1])
            pairs.add(own)
        return len({who for who, _ in pairs}), len({where for _, where in pairs})

    def _may_know(self, room: int, other: int) -> bool:
        return room == other or self._watchers.get(room, frozenset()) <= self._watchers.get(other, frozenset())


@dataclass(frozen=True)
class RepeatsParameters:
    """What `repeats` is fitted by."""

    risk: float = 0.2  #: probability of pitch or spam from which a line is looked at; one with a link always is
    accounts: int = 3  #: accounts that gave nearly the same text
    rooms: int = 2  #: rooms in which it was given
    most_people: int = 500  #: people remembered in one show
    weight: float = 0.0  #: what a finding adds, in log-odds


@dataclass
class Repeats:
    """Notes, once per person and show each, a text that several accounts gave and one that several rooms got."""

    parameters: RepeatsParameters = field(default_factory=RepeatsParameters)
    memory: RepeatMemory = field(default_factory=lambda: RepeatMemory(MAX_ALONE))
    name: str = "repeats"
    _told: dict[Account, set[str]] = field(default_factory=dict)

    def observe(self, show: Show, event: Event, reading: Reading | Unavailable | None) -> Finding | None:
        """Return a finding when the line repeats what others said, or what was said elsewhere."""
        if not isinstance(event, Line) or event.weight == 0.0 or is_of_others(reading):
            return None
        if not self._is_looked_at(event, reading) or (signed := signature(event.text)) is None:
            return None
        accounts, rooms = self.memory.add(signed, event.who, str(show.info.room))
        if rooms >= self.parameters.rooms and self._is_new(event.person.account, "rooms"):
            message = Message("repeats.rooms", {"count": rooms})
        elif accounts >= self.parameters.accounts and self._is_new(event.person.account, "accounts"):
            message = Message("repeats.accounts", {"count": accounts})
        else:
            return None
        weight = self.parameters.weight
        return Finding(self.name, event.person, event.until, 1.0, message, (quote(event, reading),), weight)

    def _is_looked_at(self, line: Line, reading: Reading | Unavailable | None) -> bool:
        if isinstance(reading, Reading) and reading.pitch + reading.acts["spam"] >= self.parameters.risk:
            return True
        return bool(sure_links(line.text))

    def _is_new(self, account: Account, what: str) -> bool:
        told = self._told.setdefault(account, set())
        if len(self._told) > self.parameters.most_people:
            del self._told[next(iter(self._told))]
        known = what in told
        told.add(what)
        return not known


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
