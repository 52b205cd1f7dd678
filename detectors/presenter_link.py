"""Whether somebody in the chat speaks for a presenter: the same link, one names the other, or the same offer."""

import re
from collections.abc import Iterable
from typing import Final

from detectors.records import Account, Line, Person
from detectors.show import Show

#: Shortest part of a name that is taken for that name, in letters.
SHORTEST_NAME: Final = 4
_PART: Final = re.compile(r"[^\W\d_]+")
_LINK: Final = re.compile(r"\b(?:https?://|www\.)?((?:[\w-]+\.)+[a-z]{2,}(?:/[^\s]*)?)", re.IGNORECASE)
#: Parts of names that say nothing about whose they are.
_COMMON: Final = frozenset({"team", "official", "live", "show", "crew", "admin", "staff", "support", "equipe", "real"})


def find_presenter_link(show: Show, line: Line, sellers: Iterable[Account], any_link: bool = True) -> Person | None:
    """Return the presenter for whom the chat line's author speaks, or None.

    `sellers` are the accounts with a pitch of their own under way; with `any_link`, a link of whatever kind given
    meanwhile counts as theirs. A name that merely stands beside the presenter
    is not enough: the presenter must be selling, be named, have named the author, or have given the same link.
    """
    presenters = show.presenters()
    selling = set(sellers)
    for presenter in presenters:
        if presenter.account == line.person.account:
            return None
        named = _mentions(line.text, presenter.name) or _mentions(line.person.name, presenter.name)
        if presenter.account in selling and (named or _spoken_of(show, presenter, line.person.name)):
            return presenter
        if _links(line.text) & _links_of(show, presenter.account):
            return presenter
    if not any_link:
        return None
    return next((p for p in presenters if p.account in selling and _links(line.text)), None)


def _spoken_of(show: Show, presenter: Person, name: str) -> bool:
    return any(_mentions(said.text, name) for said in show.recent if said.person.account == presenter.account)


def _mentions(text: str, name: str) -> bool:
    words = {word.lower() for word in _PART.findall(text)}
    parts = {part.lower() for part in _PART.findall(name) if len(part) >= SHORTEST_NAME} - _COMMON
    return bool(words & parts)


def _links(text: str) -> set[str]:
    return {found.lower().rstrip("/.,)") for found in _LINK.findall(text)}


def _links_of(show: Show, account: Account) -> set[str]:
    return set().union(*(_links(line.text) for line in show.recent if line.person.account == account))
