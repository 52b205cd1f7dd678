"""The panel: all detectors of one show, in the order in which they are asked. To add one, add one line here."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from detectors.arc import Arc
from detectors.automation import Automation
from detectors.buzzwords import Buzzwords
from detectors.claims import Claims
from detectors.links import Links
from detectors.records import EpisodeState, Event, Finding, PhaseSpan, Reading, Unavailable
from detectors.repeats import RepeatMemory, Repeats
from detectors.self_promotion import SelfPromotion
from detectors.show import Show
from detectors.viewer_advert import ViewerAdvert


class Detector(Protocol):
    """What every detector but `arc` is: pure, remembers at most what is bounded, opens no alert."""

    @property
    def name(self) -> str:
        """What findings are signed with."""
        ...

    def observe(self, show: Show, event: Event, reading: Reading | Unavailable | None) -> Finding | None:
        """Look at one event with its reading (None for events that are not read)."""
        ...


#: The registry: what is asked before `arc`, so that its weights count for the same line.
DETECTORS: Final[tuple[Callable[[], Detector], ...]] = (
    Claims,
    ViewerAdvert,
    Buzzwords,
    Links,
    Repeats,
    SelfPromotion,
    Automation,
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the panel saw in one event."""

    findings: tuple[Finding, ...]
    episode: EpisodeState | None


class Panel:
    """Runs every detector over one show's events. `memory` is what shows share; without it this one is alone."""

    def __init__(self, arc: Arc | None = None, memory: RepeatMemory | None = None) -> None:
        self._arc = arc or Arc()
        self._others = [
            Repeats(memory=memory) if memory is not None and make is Repeats else make() for make in DETECTORS
        ]

    def observe(self, show: Show, event: Event, reading: Reading | Unavailable | None) -> Observed:
        """Hand one event, already applied to `show`, to every detector."""
        findings = []
        for detector in self._others:
            finding = detector.observe(show, event, reading)
            if finding is not None:
                show.note(finding)
                findings.append(finding)
        return Observed(tuple(findings), self._arc.observe(show, event, reading))

    def finish(self, show: Show) -> list[EpisodeState]:
        """End all episodes; return their last states."""
        return self._arc.finish(show.at)

    def phases(self, show: Show) -> tuple[PhaseSpan, ...]:
        """Return the show's timeline so far."""
        spans = self._arc.phases()
        return tuple(replace(span, until=min(span.until, show.at)) for span in spans if span.at < show.at)

    def snapshot(self) -> dict[str, Any]:
        """Return the numbers from which `restore` goes on. Observations start anew; the store holds the old ones."""
        return {"arc": self._arc.snapshot()}

    def restore(self, numbers: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._arc.restore(numbers["arc"])
