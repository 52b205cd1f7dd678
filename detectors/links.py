"""`links`: how links are given, and free bait that asks for an address or a word by message. An observation."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from detectors.bait import find_bait
from detectors.normalise import normalise
from detectors.presenter_link import find_presenter_link
from detectors.quoting import is_of_others, quote
from detectors.records import Account, Event, Finding, Line, Message, Reading, Unavailable
from detectors.show import Show
from detectors.urls import host, is_bare, is_shortened, sure_links

#: Different links of one person that are counted.
_MANY_LINKS: Final = 50


@dataclass(frozen=True)
class LinksParameters:
    """What `links` is fitted by."""

    together: float = 60.0  #: seconds within which a link and an offer belong together
    quiet: float = 180.0  #: that is told at most once in each stretch of so many seconds
    pitch: float = 0.5  #: pitch probability from which a line is an offer
    again: int = 3  #: how often the same link is given until it is told; told again each time that it has doubled
    bare: int = 3  #: lines that are nothing but links
    bare_share: float = 0.8  #: their share of all lines of the person
    most_per_person: int = 20  #: findings about one account in one show
    most_people: int = 500  #: accounts remembered in one show, the longest silent ones forgotten first
    weight: float = 0.0  #: what a finding adds, in log-odds


@dataclass(slots=True)
class Given:
    """What one person gave so far."""

    lines: int = 0
    bare: int = 0
    links: Counter[str] = field(default_factory=Counter)
    linked_at: float | None = None
    offered_at: float | None = None
    told: set[tuple[str, str | int]] = field(default_factory=set)


@dataclass
class Links:
    """Tells the most telling thing about the links of a line that was not told before."""

    parameters: LinksParameters = field(default_factory=LinksParameters)
    name: str = "links"
    _given: OrderedDict[Account, Given] = field(default_factory=OrderedDict)

    def observe(self, show: Show, event: Event, reading: Reading | Unavailable | None) -> Finding | None:
        """Return a finding about whoever gave the link or the bait."""
        if not isinstance(event, Line) or event.weight == 0.0 or is_of_others(reading):
            return None
        plain = normalise(event.text)
        links = sure_links(plain)
        given = self._given.setdefault(event.person.account, Given())
        self._given.move_to_end(event.person.account)
        if len(self._given) > self.parameters.most_people:
            self._given.popitem(last=False)
        self._count(given, event, reading, plain, links)
        for message, mark in self._seen(show, event, given, plain, links):
            told = (message.key, mark)
            if told not in given.told and len(given.told) < self.parameters.most_per_person:
                given.told.add(told)
                weight = self.parameters.weight
                return Finding(self.name, event.person, event.until, 1.0, message, (quote(event, reading),), weight)
        return None

    def _count(
        self, given: Given, line: Line, reading: Reading | Unavailable | None, plain: str, links: list[str]
    ) -> None:
        given.lines += 1
        if isinstance(reading, Reading) and reading.pitch >= self.parameters.pitch:
            given.offered_at = line.until
        if not links:
            return
        given.linked_at = line.until
        given.bare += is_bare(plain, links)
        for link in links:
            if link in given.links or len(given.links) < _MANY_LINKS:
                given.links[link] += 1

    def _seen(
        self, show: Show, line: Line, given: Given, plain: str, links: list[str]
    ) -> Iterator[tuple[Message, str | int]]:
        """Yield what can be said of the line, the most telling first, each with what it is told once for."""
        p = self.parameters
        now = line.until
        if now in (given.linked_at, given.offered_at) and self._near(given.linked_at, given.offered_at):
            yield Message("links.with_offer"), int(now // p.quiet)
        if links and (seller := self._seller(show, line)):
            yield Message("links.for_offer", {"name": seller}), int(now // p.quiet)
        if bait := find_bait(line.text):
            yield Message("links.bait", {"words": bait}), bait.lower()
        for link in links:
            if is_shortened(link):
                yield Message("links.shortened", {"words": host(link)}), link
            if (count := given.links[link]) >= p.again:
                level = (count // p.again).bit_length()
                yield Message("links.again", {"words": link, "count": count}), f"{link} {level}"
        if links and given.bare >= max(p.bare, p.bare_share * given.lines) and is_bare(plain, links):
            yield Message("links.only", {"count": given.bare, "lines": given.lines}), 0

    def _near(self, one: float | None, other: float | None) -> bool:
        return one is not None and other is not None and abs(one - other) <= self.parameters.together

    def _seller(self, show: Show, line: Line) -> str | None:
        """Return the name of the presenter with an offer in the last minute for whom the line's author speaks."""
        if line.kind != "chat" or show.is_presenter(line.person.account):
            return None
        sellers = [account for account, given in self._given.items() if self._near(given.offered_at, line.until)]
        presenter = find_presenter_link(show, line, sellers) if sellers else None
        return presenter.name if presenter is not None and presenter.account in sellers else None
