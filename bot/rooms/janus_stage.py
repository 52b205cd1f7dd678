"""Who sits where and who looks on in a Janus room. Pure: told of what happens, it says what that means.

Janus has participants with numbers and names that anybody may choose; seats are not numbered there. Here each
publisher gets the lowest free seat. A name stands for one account of that room: who comes back under it is taken for
the same person, two at once are told apart by a number. Such names are unverified, and prove nothing elsewhere.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from bot.rooms.script import MAX_NAME, line_of
from detectors.records import Account, Person

#: People in a room who are remembered.
MAX_PEOPLE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Sitting:
    """A participant on a seat: `number` is Janus's, `seat` ours; `returned` to the seat kept for them."""

    number: int | str
    seat: int
    person: Person
    returned: bool = False


@dataclass
class Stage:
    """The seats and the audience of one room. `server` is that part of everybody's account."""

    server: str
    seats: int
    seated: dict[int | str, Sitting] = field(default_factory=dict)
    #: Everybody in the room, on a seat or not.
    people: dict[int | str, Person] = field(default_factory=dict)
    #: Who sat where before the connection was lost.
    _before: dict[Person, int] = field(default_factory=dict)

    @property
    def audience(self) -> tuple[Person, ...]:
        """Who is there and has no seat."""
        return tuple(person for number, person in self.people.items() if number not in self.seated)

    def named(self, display: Any, own_id: int | str) -> Person:
        """Return the person that a name stands for; who gives none is known by Janus's number or word for them."""
        name = line_of(display)[:MAX_NAME] if isinstance(display, str) else ""
        name = name or f"#{line_of(str(own_id))[: MAX_NAME - 1]}"
        return Person(Account("janus", self.server, name.casefold()), name)

    def arrive(self, number: int | str, display: Any) -> Person:
        """Somebody came in."""
        if number in self.people:
            return self.people[number]
        person = self.named(display, number)
        taken = {other.account.id for other in self.people.values()}
        again = 2
        wanted = person.account.id
        while person.account.id in taken:
            name = f"{line_of(str(display))[: MAX_NAME - 6]} ({again})"
            person = Person(Account("janus", self.server, f"{wanted} ({again})"), name)
            again += 1
        if len(self.people) < MAX_PEOPLE:
            self.people[number] = person
        return person

    def sit(self, number: int | str, display: Any) -> Sitting | None:
        """Somebody took a seat; None when they have one already, or when none is free."""
        person = self.arrive(number, display)
        if number in self.seated:
            return None
        kept = self._before.pop(person, None)
        taken = {sitting.seat for sitting in self.seated.values()} | set(self._before.values())
        seat = kept or next((seat for seat in range(1, self.seats + 1) if seat not in taken), None)
        if seat is None and self._before:  # who is here goes before who may come back
            seat = self._before.pop(next(iter(self._before)))
        if seat is None:
            return None
        self.people[number] = person
        self.seated[number] = Sitting(number, seat, person, kept is not None)
        return self.seated[number]

    def sits(self, sitting: Sitting) -> bool:
        """Whether a person has the seat still, or again, or it is kept for them."""
        kept = self._before.get(sitting.person) == sitting.seat
        return kept or any((s.person, s.seat) == (sitting.person, sitting.seat) for s in self.seated.values())

    def rise(self, number: int | str) -> Sitting | None:
        """Somebody left the seat; None when they had none."""
        return self.seated.pop(number, None)

    def leave(self, number: int | str) -> Sitting | None:
        """Somebody left the room; return the seat that they had."""
        self.people.pop(number, None)
        return self.rise(number)

    def lose(self) -> None:
        """The connection is lost: nobody's number means anything any more, but seats are kept for a while."""
        self._before |= {sitting.person: sitting.seat for sitting in self.seated.values()}
        self.seated.clear()
        self.people.clear()

    def release(self) -> list[tuple[Person, int]]:
        """Keep seats no longer; return whose were kept in vain."""
        kept, self._before = self._before, {}
        return list(kept.items())
