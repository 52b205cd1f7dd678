"""Whether somebody in the chat speaks for a presenter: the same link, or a presenter who sells and names them."""

import re
from collections.abc import Iterable
from typing import Final

from detectors.records import Account, Line, Person
from detectors.show import Show
from detectors.urls import MOST_CHARS, find_links, host, sure_links

#: Shortest part of a name that is taken for that name, in letters.
SHORTEST_NAME: Final = 4
#: Links and names are looked for among this many presenters.
MOST_PRESENTERS: Final = 16
_PART: Final = re.compile(r"[^\W\d_]+")
#: What accounts that work for somebody call themselves.
_STAFF: Final = frozenset({"team", "crew", "admin", "staff", "support", "equipe", "mod", "assist", "assistant"})
#: Parts of names that say nothing about whose they are.
_COMMON: Final = _STAFF | {"official", "live", "show", "real"}


def find_presenter_link(show: Show, line: Line, sellers: Iterable[Account]) -> Person | None:
    """Return the presenter for whom the chat line's author speaks, or None.

    `sellers` are the accounts with a pitch of their own under way. Whoever gives the same link as a presenter
    speaks for them; so does somebody who names a selling presenter, bears their name, or was named by them.
    """
    selling = set(sellers)
    links = find_links(line.text)
    for presenter in show.presenters()[:MOST_PRESENTERS]:
        if presenter.account == line.person.account:
            return None
        if links and links & _links_of(show, presenter.account):
            return presenter
        if presenter.account not in selling:
            continue
        named = _mentions(line.text, presenter.name) or _mentions(line.person.name, presenter.name)
        if named or _spoken_of(show, presenter, line.person.name):
            return presenter
    return None


def says_for_whom(line: Line, presenter: Person) -> bool:
    """Whether the chat line itself tells that its author works for the presenter: by a link to a place that bears the
    presenter's whole name, or by the author's own name, which holds it, or a part of it and what such accounts call
    themselves ("team"). A viewer who names the presenter, passes a link on, or was answered by name, may be anybody."""
    handle = "".join(_PART.findall(presenter.name.lower()))
    if len(handle) < SHORTEST_NAME:
        return False
    if any(handle in "".join(_PART.findall(host(link))) for link in sure_links(line.text)):
        return True
    own = [part.lower() for part in _PART.findall(line.person.name)]
    return handle in "".join(own) or (bool(_STAFF & set(own)) and _mentions(line.person.name, presenter.name))


def _spoken_of(show: Show, presenter: Person, name: str) -> bool:
    return any(_mentions(said.text, name) for said in show.recent if said.person.account == presenter.account)


def _mentions(text: str, name: str) -> bool:
    words = {word.lower() for word in _PART.findall(text[:MOST_CHARS])}
    parts = {part.lower() for part in _PART.findall(name) if len(part) >= SHORTEST_NAME} - _COMMON
    return bool(words & parts)


def _links_of(show: Show, account: Account) -> set[str]:
    return set().union(*(find_links(line.text) for line in show.recent if line.person.account == account))
