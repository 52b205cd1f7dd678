"""`viewer_advert`: somebody in the audience who advertises something of their own. Recorded, never an alert."""

from dataclasses import dataclass, field

from detectors.presenter_link import find_presenter_link
from detectors.records import Event, Finding, Line, Message, Quote, Reading, Unavailable
from detectors.show import Show


@dataclass(frozen=True)
class ViewerAdvertParameters:
    """What `viewer_advert` is fitted by."""

    threshold: float = 0.6  #: probability of spam or pitch from which a chat line is noted
    weight: float = 0.0  #: what a finding adds, in log-odds


@dataclass
class ViewerAdvert:
    """Notes chat lines that advertise and do not belong to anybody who presents."""

    parameters: ViewerAdvertParameters = field(default_factory=ViewerAdvertParameters)
    name: str = "viewer_advert"

    def observe(self, show: Show, event: Event, reading: Reading | Unavailable | None) -> Finding | None:
        """Return a finding without weight for an advertising line of the audience."""
        if not isinstance(event, Line) or event.kind != "chat" or not isinstance(reading, Reading):
            return None
        score = reading.acts["spam"] + reading.pitch
        if score < self.parameters.threshold or show.is_presenter(event.person.account):
            return None
        presenters = [person.account for person in show.presenters()]
        if find_presenter_link(show, event, presenters) is not None:
            return None
        quote = Quote(event.id, event.at, event.until, event.person, event.kind, event.text, round(reading.pitch, 4))
        weight = self.parameters.weight
        return Finding(self.name, event.person, event.until, round(score, 4), Message("spam.viewer"), (quote,), weight)
