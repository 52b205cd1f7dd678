"""Who sits where and who looks on in a Janus room. Pure: told of what happens, it says what that means.

Janus has participants with numbers and names that anybody may choose; seats are not numbered there. Here each
publisher gets the lowest free seat. A name stands for one account of that room: who comes back under it is taken for
the same person, two at once are told apart by a number. Such names are unverified, and prove nothing elsewhere.
"""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bot.rooms.script import MAX_NAME, line_of
from detectors.records import Account, Person

#: People in a room who are remembered.
MAX_PEOPLE: Final = 5_000
#: What tells a namesake's account from another's.
_AGAIN: Final = re.compile(r" \(\d+\)$")


@dataclass(frozen=True, slots=True)
class Sitting:
    """A participant on a seat: `number` is Janus's, `seat` ours; `returned` to the seat kept for them."""

    number: int | str
    seat: int
    person: Person
    returned: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    """A seat kept for somebody: Janus's number for them before the loss, if it is known, and whom their bare name may
    stand for."""

    number: int | str | None
    seat: int
    bare: frozenset[Account]


@dataclass
class Stage:
    """The seats and the audience of one room. `server` is that part of everybody's account.

    A seat goes before the audience: whoever looks on has an account only until somebody of the same name sits down.
    """

    server: str
    seats: int
    seated: dict[int | str, Sitting] = field(default_factory=dict)
    #: Everybody in the room, on a seat or not.
    people: dict[int | str, Person] = field(default_factory=dict)
    #: Whom the names of those people stand for when nobody else has them.
    _bare: dict[int | str, Person] = field(default_factory=dict)
    #: Who has or had a seat, and so keeps the account.
    _sat: set[int | str] = field(default_factory=set)
    #: Who sat where before the connection was lost.
    _before: dict[Person, _Kept] = field(default_factory=dict)

    @property
    def audience(self) -> tuple[Person, ...]:
        """Who is there and has no seat."""
        return tuple(person for number, person in self.people.items() if number not in self.seated)

    def named(self, display: Any, own_id: int | str) -> Person:
        """Return the person that a name stands for; who gives none is known by Janus's number or word for them."""
        name = line_of(display)[:MAX_NAME] if isinstance(display, str) else ""
        name = name or f"#{line_of(str(own_id))[: MAX_NAME - 1]}"
        return Person(Account("janus", self.server, name.casefold()), name)

    def in_order(self, publishers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return publishers in the order in which they may take seats.

        Who had one before a loss goes first, known by Janus's number; then who bears a name that had one, the very name
        first; then others.
        """
        numbers = {kept.number for kept in self._before.values()}
        accounts = {person.account for person in self._before}
        names = {bare for kept in self._before.values() for bare in kept.bare}

        def rank(publisher: Mapping[str, Any]) -> tuple[bool, bool, bool]:
            number = publisher["id"]
            account = self.named(publisher.get("display"), number).account
            return number not in numbers, account not in accounts, account not in names

        return sorted(publishers, key=rank)

    def arrive(self, number: int | str, display: Any) -> Person:
        """Somebody came in."""
        if number in self.people:
            return self.people[number]
        bare = self.named(display, number)
        person = _free(bare, self._taken(self.people))
        if len(self.people) < MAX_PEOPLE:
            self.people[number], self._bare[number] = person, bare
        return person

    def sit(self, number: int | str, display: Any) -> Sitting | None:
        """Somebody took a seat; None when they have one already, or when none is free."""
        if number in self.seated:
            return None
        self.arrive(number, display)
        bare = self._bare.get(number) or self.named(display, number)
        back = self._back(number, bare.account)
        kept = self._before.pop(back) if back is not None else None
        taken = {sitting.seat for sitting in self.seated.values()} | {one.seat for one in self._before.values()}
        seat = kept.seat if kept else next((seat for seat in range(1, self.seats + 1) if seat not in taken), None)
        if seat is None and self._before:  # who is here goes before who may come back
            seat = self._before.pop(next(iter(self._before))).seat
        if seat is None:
            return None
        person = back or self._claim(number, bare)
        self.people[number], self._bare[number] = person, bare
        self._sat.add(number)
        self.seated[number] = Sitting(number, seat, person, back is not None)
        return self.seated[number]

    def sits(self, sitting: Sitting) -> bool:
        """Whether a person has the seat still, or again, or it is kept for them."""
        here = [(one.person, one.seat) for one in self.seated.values()]
        kept = [(person, one.seat) for person, one in self._before.items()]
        mine = (sitting.person.account, sitting.seat)
        return any((person.account, seat) == mine for person, seat in here + kept)

    def as_now(self, sitting: Sitting) -> Sitting:
        """Return a person on a seat under the name that they have now."""
        now = self.seated.get(sitting.number)
        return now if now is not None and now.person.account == sitting.person.account else sitting

    def writer(self, display: Any, username: str) -> Person:
        """Return who writes in the chat: whoever sits under that name, or somebody of the audience."""
        person = self.named(display, username)
        if any(sitting.person.account == person.account for sitting in self.seated.values()):
            return person
        like = [
            sitting.person for number, sitting in self.seated.items() if self._bare[number].account == person.account
        ]
        return like[0] if like else person

    def rename(self, number: int | str, display: Any) -> Sitting | None:
        """Somebody gave another name; return their seat, if they have one. Who has or had one stays the same person."""
        bare = self.named(display, number)
        if not isinstance(display, str) or number not in self.people or bare == self._bare[number]:
            return None
        others = [other for other in self.people if other != number]
        person = _free(bare, self._taken(others))
        if number in self._sat:
            person = Person(self.people[number].account, person.name)
        self.people[number], self._bare[number] = person, bare
        sitting = self.seated.get(number)
        if sitting is None:
            return None
        self.seated[number] = replace(sitting, person=person)
        return self.seated[number]

    def rise(self, number: int | str) -> Sitting | None:
        """Somebody left the seat; None when they had none."""
        return self.seated.pop(number, None)

    def leave(self, number: int | str) -> Sitting | None:
        """Somebody left the room; return the seat that they had."""
        self.people.pop(number, None)
        self._bare.pop(number, None)
        self._sat.discard(number)
        return self.rise(number)

    def lose(self) -> None:
        """The connection is lost: nobody is known to be there any more, but seats are kept for a while."""
        for number, sitting in self.seated.items():
            self._before[sitting.person] = _Kept(number, sitting.seat, frozenset({self._bare[number].account}))
        self.seated.clear()
        self.people.clear()
        self._bare.clear()
        self._sat.clear()

    def keep(self, seats: Mapping[int, Person]) -> None:
        """The bot was away: seats are kept as after a loss, for those who had them."""
        for seat, person in seats.items():
            if seat <= self.seats:
                account = person.account
                bare = replace(account, id=_AGAIN.sub("", account.id))  # who was a namesake may be one no more
                self._before[person] = _Kept(None, seat, frozenset({account, bare}))

    @property
    def in_use(self) -> bool:
        """Whether somebody has a seat, or one is kept for somebody."""
        return bool(self.seated or self._before)

    def release(self) -> list[tuple[Person, int]]:
        """Keep seats no longer; return whose were kept in vain."""
        kept, self._before = self._before, {}
        return [(person, one.seat) for person, one in kept.items()]

    def _back(self, number: int | str, bare: Account) -> Person | None:
        """Return who somebody is, of those for whom a seat is kept: by Janus's number, or by name."""
        like = [
            (kept.number != number, person.account != bare, kept.seat, person)
            for person, kept in self._before.items()
            if bare in kept.bare
        ]
        return min(like, key=lambda one: one[:3])[3] if like else None

    def _claim(self, number: int | str, bare: Person) -> Person:
        """Return the account of somebody who sits down; who only looks on under that name gets another."""
        if number in self._sat:
            return self.people[number]
        person = _free(bare, self._taken(self._sat))
        for other, held in self.people.items():
            if other != number and held.account == person.account:
                self.people[number] = person
                self.people[other] = _free(self._bare[other], self._taken(self.people))
                break
        return person

    def _taken(self, numbers: Iterable[int | str]) -> set[Account]:
        """Return the accounts of some who are there, and of those for whom a seat is kept."""
        here = {self.people[number].account for number in numbers if number in self.people}
        return here | {person.account for person in self._before}


def _free(bare: Person, taken: Set[Account]) -> Person:
    """Return a person, or the first namesake of theirs whose account nobody has."""
    person, again = bare, 2
    while person.account in taken:
        account = Account(bare.account.platform, bare.account.server, f"{bare.account.id} ({again})")
        person = Person(account, f"{bare.name[: MAX_NAME - 6]} ({again})")
        again += 1
    return person
