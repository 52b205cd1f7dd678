"""`arc`: the shape of the show. Adds up, per person and over time, how likely it is that they are selling their own.

Each line moves its speaker's evidence by the log-odds of being a pitch, within bounds; evidence fades with time.
Teaching heard before, a second passage apart from the first, and other detectors' bounded weights move the sum.
This is a sequential test in the manner of Wald (1945) with forgetting; its numbers are fitted on validation shows.
"""

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from detectors.phases import Timeline
from detectors.presenter_link import find_presenter_link, says_for_whom
from detectors.records import (
    Account,
    EpisodeState,
    Event,
    Line,
    Message,
    Person,
    Phase,
    PhaseSpan,
    Quote,
    Reading,
    Tick,
    Unavailable,
)
from detectors.show import Show

#: People whose evidence is followed at once, and quotes kept per episode.
MAX_TRACKS: Final = 500
MAX_QUOTES: Final = 12
#: A sponsor read or a warning counts as such from this probability on.
SHIELDING: Final = 0.5
#: An offer or a cue counts as present from here on: there are few examples of each, and the model is shy of them.
FLAG_PRESENT: Final = 0.35
#: Words a second of slow speech; turns written words into seconds of talk.
WORDS_PER_SECOND: Final = 2.5


@dataclass(frozen=True)
class ArcParameters:
    """What `arc` is fitted by. Times in seconds, everything else in log-odds unless said otherwise."""

    base: float = -4.9  #: where everybody starts
    pivot: float = 0.374  #: pitch probability at which a line speaks neither for nor against
    line_most: float = 5.0  #: most that one line can add
    present: float = 0.378  #: pitch probability from which a line is evidence that is quoted, and a part of an episode
    half_life: float = 379.928  #: after this long without new evidence, half of it is left
    taught_after: float = 232.246  #: teaching heard before a pitch counts in full from this long on
    taught_bonus: float = 2.022  #: how much it then adds
    passage_gap: float = 33.373  #: quiet that makes what follows a second passage
    passage_bonus: float = 2.0  #: what each further passage adds, up to two of them
    shield_time: float = 179.07  #: how long after a sponsor read or a warning a pitch line counts less
    shield_factor: float = 0.253  #: by what factor it counts less
    pull: float = 0.598  #: how much a sponsor read or a warning takes off the speaker's evidence
    audience: float = 0.9  #: for somebody in the chat who sells for the presenter, as far as can be told
    helper: float = 3.2  #: the same for somebody whose line or name says so
    stage: float = 0.1  #: share of what others in the show have gathered lately that counts for the speaker as well
    again: float = 0.21  #: pitch probability that a second look must find in the passage, or the line counts nothing
    sure: float = 0.65  #: pitch probability that one quote must have before anything is said
    floor: float = -3.0  #: below this nothing is said at all
    episode_gap: float = 600.0  #: quiet that ends an episode


@dataclass(slots=True)
class Track:
    """One person's evidence. `level` is what has been gathered and not yet faded, in log-odds."""

    person: Person
    level: float = 0.0
    level_at: float = 0.0
    number: int = 0
    open: bool = False
    since: float = 0.0
    last_at: float = 0.0
    passages: int = 0
    surest: float = 0.0
    taught: float = 0.0
    shield_until: float = -1.0
    presenter: Person | None = None
    helps: bool = False
    offers: dict[str, float] = field(default_factory=dict)
    cues: dict[str, float] = field(default_factory=dict)
    quotes: deque[Quote] = field(default_factory=lambda: deque(maxlen=MAX_QUOTES))


class Arc:
    """Follows everybody's evidence through one show and tells phases at its end."""

    name = "arc"

    def __init__(self, parameters: ArcParameters | None = None) -> None:
        self._p = parameters or ArcParameters()
        self._tracks: OrderedDict[Account, Track] = OrderedDict()
        self._taught = 0.0
        self.timeline = Timeline()

    def observe(self, show: Show, event: Event, reading: Reading | Unavailable | None) -> EpisodeState | None:
        """Return the state of the episode that the event changed, if it is worth saying."""
        if isinstance(event, Tick):
            return self._first_ended(event.at)
        if not isinstance(event, Line) or not isinstance(reading, Reading) or event.weight == 0.0:
            return None
        presents = show.is_presenter(event.person.account)
        if presents:
            self._listen(event, reading)
        if not presents and reading.pitch <= self._p.pivot and event.person.account not in self._tracks:
            return None  # most of the audience never needs a track
        track = self._track(event.person)
        gained = self._weigh(track, event, reading)
        if gained <= 0.0:
            return None
        track.level += gained
        if reading.pitch >= self._p.present:
            self._gather(track, event, reading)
        if not presents and track.presenter is None:
            track.presenter = find_presenter_link(show, event, self._sellers(event.until))
        if not presents and track.presenter is not None:
            track.helps = track.helps or says_for_whom(event, track.presenter)
        return self._state(show, track, event.until, presents)

    def finish(self, at: float) -> list[EpisodeState]:
        """Return the last state of every open episode, ended, in the order in which they began."""
        still_open = sorted((t for t in self._tracks.values() if t.open), key=lambda t: t.since)
        return [self._end(track, at) for track in still_open]

    def phases(self) -> list[PhaseSpan]:
        """Return the show's timeline so far."""
        return self.timeline.spans()

    def _listen(self, line: Line, reading: Reading) -> None:
        seconds = max(line.until - line.at, len(line.text.split()) / WORDS_PER_SECOND if line.kind == "chat" else 0.0)
        self._taught += reading.acts["teach"] * seconds
        self.timeline.add(line.at, seconds, reading.acts["teach"], reading.pitch)

    def _weigh(self, track: Track, line: Line, reading: Reading) -> float:
        """Let the track fade to now and return what the line adds to it; sponsor reads and warnings take off."""
        p = self._p
        track.level *= 0.5 ** (max(0.0, line.until - track.level_at) / p.half_life)
        # Of nothing gathered there is nothing to fade: then its time is forgotten, as in a snapshot.
        track.level_at = max(track.level_at, line.until) if track.level else line.until
        if reading.acts["sponsor"] + reading.acts["caution"] > SHIELDING:
            track.level = max(0.0, track.level - p.pull)
            track.shield_until = line.until + p.shield_time
            return 0.0
        if reading.passage is not None and reading.passage < p.again:
            return 0.0
        gain = min(p.line_most, _log_odds(reading.pitch) - _log_odds(p.pivot))
        return gain * (p.shield_factor if line.at < track.shield_until else 1.0)

    def _gather(self, track: Track, line: Line, reading: Reading) -> None:
        if not track.open or line.at - track.last_at > self._p.episode_gap:
            self._begin(track, line)
        elif line.at - track.last_at > self._p.passage_gap:
            track.passages += 1
        track.last_at = max(track.last_at, line.until)
        for seen, told in ((track.offers, reading.offers), (track.cues, reading.cues)):
            for name, probability in told.items():
                if probability >= FLAG_PRESENT:
                    seen[name] = max(seen.get(name, 0.0), round(probability, 4))
        track.surest = max(track.surest, round(reading.pitch, 4))
        track.quotes.append(
            Quote(line.id, line.at, line.until, line.person, line.kind, line.text, round(reading.pitch, 4), line.seat)
        )

    def _begin(self, track: Track, line: Line) -> None:
        track.open = True
        track.number += 1
        track.since, track.last_at = line.at, line.until
        track.passages = 1
        track.surest = 0.0
        track.taught = self._taught
        track.presenter, track.helps = None, False  # whom they speak for is asked anew
        track.offers.clear()
        track.cues.clear()
        track.quotes.clear()

    def _state(self, show: Show, track: Track, at: float, presents: bool) -> EpisodeState | None:
        p = self._p
        if not track.open:
            return None  # nothing yet that could be quoted
        if track.surest < p.sure:
            return None  # many doubtful lines are still no line that a person would take for an offer
        if not presents and track.presenter is None:
            return None  # a viewer's own advertising is another detector's matter
        logit = p.base + track.level + show.extra_weight(track.person.account)
        logit += p.taught_bonus * min(1.0, track.taught / p.taught_after)
        logit += p.passage_bonus * min(2, track.passages - 1)
        if not presents:
            logit += p.helper if track.helps else p.audience
        logit += p.stage * self._around(show, track, at)
        if logit < p.floor:
            return None
        return self._episode(track, at, logit, "pitch", presenter=None if presents else track.presenter)

    def _around(self, show: Show, track: Track, at: float) -> float:
        """Return what others who sell here have gathered and not lost since, up to what two lines can add: one offer is
        often made by several people in turn (a co-host, an assistant), and each of them alone says little."""
        gathered: float = sum(
            other.level * 0.5 ** (max(0.0, at - other.level_at) / self._p.half_life)
            for other in self._tracks.values()
            if other is not track
            and other.open
            and at - other.last_at <= self._p.passage_gap
            and (other.presenter is not None or show.is_presenter(other.person.account))
        )
        return min(2.0 * self._p.line_most, gathered)

    def _first_ended(self, at: float) -> EpisodeState | None:
        for track in self._tracks.values():
            if track.open and at - track.last_at > self._p.episode_gap:
                return self._end(track, at)
        return None

    def _end(self, track: Track, at: float) -> EpisodeState:
        track.open = False
        return self._episode(track, at, self._p.base + track.level, "talk", presenter=track.presenter, ended=True)

    def _episode(
        self, track: Track, at: float, logit: float, phase: Phase, presenter: Person | None, ended: bool = False
    ) -> EpisodeState:
        return EpisodeState(
            person=track.person,
            number=track.number,
            since=track.since,
            at=at,
            logit=round(logit, 4),
            phase=phase,
            offers=_by_strength(track.offers),
            cues=_by_strength(track.cues),
            evidence=tuple(track.quotes),
            reasons=self._reasons(track, presenter),
            passages=track.passages,
            presenter=presenter,
            ended=ended,
        )

    def _reasons(self, track: Track, presenter: Person | None) -> tuple[Message, ...]:
        minutes = round(track.taught / 60)
        reasons = [Message("why.after_teaching", {"minutes": minutes}) if minutes else Message("why.no_teaching")]
        if track.passages > 1:
            reasons.append(Message("why.passages", {"count": track.passages}))
        if presenter is not None:
            reasons.append(Message("why.for_presenter", {"name": presenter.name}))
        reasons += [Message(f"why.cue.{cue}") for cue in _by_strength(track.cues)]
        return tuple(reasons)

    def _sellers(self, at: float) -> dict[Account, Track]:
        return {a: t for a, t in self._tracks.items() if t.open and at - t.last_at <= self._p.episode_gap}

    def _track(self, person: Person) -> Track:
        track = self._tracks.setdefault(person.account, Track(person))
        track.person = person
        self._tracks.move_to_end(person.account)
        if len(self._tracks) > MAX_TRACKS:
            # Whoever had an episode keeps its number, or the next one would pass for the old one.
            never = (a for a, t in self._tracks.items() if t.number == 0 and t is not track)
            closed = (a for a, t in self._tracks.items() if not t.open and t is not track)
            del self._tracks[next(chain(never, closed, self._tracks))]
        return track

    def snapshot(self) -> dict[str, Any]:
        """Return the numbers of all tracks, without quotes, as JSON-able values."""
        tracks = [
            [
                *(str(t.person.account), t.person.name, t.level, t.level_at, t.number, t.open, t.since, t.last_at),
                *(t.passages, t.taught, t.shield_until, t.offers, t.cues),
                [str(t.presenter.account), t.presenter.name] if t.presenter else None,
                *(t.surest, t.helps),
            ]
            for t in self._tracks.values()
            if t.number or t.level or t.shield_until > 0
        ]
        return {"taught": self._taught, "timeline": self.timeline.snapshot(), "tracks": tracks}

    def restore(self, numbers: dict[str, Any]) -> None:
        """Go on from what `snapshot` returned. Quotes from before are in the store, not here."""
        self._taught = numbers["taught"]
        self.timeline.restore(numbers["timeline"])
        for key, name, level, level_at, number, is_open, since, last_at, *rest in numbers["tracks"]:
            passages, taught, shield_until, offers, cues, presenter, *later = rest
            track = self._track(Person(Account.parse(key), name))
            track.level, track.level_at, track.number, track.open = level, level_at, number, is_open
            track.since, track.last_at, track.passages, track.taught = since, last_at, passages, taught
            track.shield_until, track.offers, track.cues = shield_until, dict(offers), dict(cues)
            track.presenter = Person(Account.parse(presenter[0]), presenter[1]) if presenter else None
            # Versions before kept neither, or the first alone; what they showed may go on.
            track.surest = later[0] if later else 1.0
            track.helps = len(later) > 1 and later[1]


def _log_odds(probability: float) -> float:
    bounded = min(0.9999, max(0.0001, probability))
    return math.log(bounded / (1.0 - bounded))


def _by_strength(found: dict[str, float]) -> tuple[str, ...]:
    return tuple(sorted(found, key=lambda name: (-found[name], name)))
