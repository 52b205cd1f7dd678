"""Policy: decides, once per watch, what an episode means for a community. Pure: state and view in, effects out.

It owns thresholds, hysteresis, exemptions, snoozes, the cap per hour, and the prior from earlier decisions.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bot.effects import AlertBody, Effect, EndEpisode, OpenAlert, Record, UpdateAlert, alert_id
from config.settings import PolicySettings, Sensitivity
from detectors.records import Account, EpisodeState, Finding, Message, Person, Quote, RoomKey
from detectors.signatures import near, signature

#: Rise of the score, or number of new quotes, from which an update says enough to be made.
UPDATE_SCORE: Final = 0.05
UPDATE_QUOTES: Final = 2
#: Most that earlier decisions move an account, in log-odds, and what one recent decision moves.
PRIOR_MOST: Final = 1.5
PRIOR_EACH: Final = 0.5
#: The same for the kind of room; a confirmed warning undoes half of what a dismissed one did, and no more.
KIND_MOST: Final = 0.9
KIND_EACH: Final = 0.15
#: Reasons that speak of everything before an episode, from the beginning of the show on.
_TAUGHT: Final = frozenset({"why.after_teaching", "why.no_teaching"})
#: Episodes followed at once.
MAX_OPEN: Final = 200


@dataclass(frozen=True, slots=True)
class Watch:
    """Who wants to be warned about a room, and how."""

    community: str
    room: RoomKey
    channel: str = "console"
    sensitivity: Sensitivity = "normal"
    dry_run: bool = False
    consent: bool = False
    #: Who speaks there, as the community says, where the room itself knows only one voice.
    host: Person | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Earlier decisions about an account in one community, each counted by how recent it is."""

    confirmed: float = 0.0
    dismissed: float = 0.0
    #: How many decisions there are, however old.
    times_confirmed: int = 0
    times_dismissed: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """What a community knows and wants, as far as policy needs it."""

    exempt: frozenset[Account] = frozenset()
    snoozed: frozenset[Account] = frozenset()
    snoozed_room: bool = False
    history: Mapping[Account, History] = field(default_factory=dict)
    #: Decisions about all warnings in rooms of this kind.
    kind_history: History = field(default_factory=History)
    #: Signatures of what was quoted in warnings that were dismissed.
    dismissed: frozenset[int] = frozenset()


@dataclass(slots=True)
class Sent:
    """What was last said about an open episode."""

    alert: str
    score: float
    at: float
    newest_quote: str
    quotes_since: int = 0


class Policy:
    """The decisions of one watch over one show."""

    def __init__(
        self, watch: Watch, show: str, settings: PolicySettings, declared: Account | None = None, joined: float = 0.0
    ) -> None:
        """`declared` is the show's host as the room says it. From `joined` on, in seconds of the show, the community
        watches: nothing from before it is quoted."""
        self.watch = watch
        self.joined = joined
        self._declared = declared
        self._show = show
        self._settings = settings
        self._open: dict[tuple[str, int], Sent] = {}
        self._recorded: set[tuple[str, int]] = set()
        self._raised: deque[float] = deque(maxlen=settings.alerts_per_hour)

    def known_as(self, person: Person) -> Person:
        """Return who somebody is to this community: it may name whoever speaks where the room knows one voice only."""
        named = self.watch.host
        return named if named is not None and person.account == self._declared else person

    def decide(self, view: View, episode: EpisodeState) -> list[Effect]:
        """Return what follows from the newest state of an episode."""
        episode = self._own(episode)
        key = (str(episode.person.account), episode.number)
        sent = self._open.get(key)
        if episode.ended:
            return self._end(key, sent, episode)
        former = self._end_former(key, episode)
        account = episode.person.account
        if account in view.exempt or account in view.snoozed or view.snoozed_room:
            return former
        if not episode.evidence:
            return former  # after a restart the quotes from before are gone; nothing is said that cannot be quoted
        score = self._score(view, episode)
        if sent is not None:
            return former + self._update(sent, episode, score, view)
        if _was_dismissed(view, episode):
            return former + self._remark(key, episode, score)
        if score >= raised_threshold(self._threshold(), view.kind_history):
            return former + self._raise(key, episode, score, view)
        return former + self._remark(key, episode, score)

    def note(self, finding: Finding) -> Record:
        """Return the record of an observation."""
        quote = next((quote for quote in finding.quotes if self._heard(quote)), None)
        return Record(
            self.watch.community,
            self.watch.room,
            self._show,
            finding.detector,
            self.known_as(finding.person),
            quote.event_id if quote else "",
            finding.at,
            finding.score,
            finding.message,
            quote.text if quote else "",
        )

    def _heard(self, quote: Quote) -> bool:
        """Whether something was said since the community watches."""
        return not self.joined or quote.at > self.joined

    def _own(self, episode: EpisodeState) -> EpisodeState:
        """Return an episode as this community may see it.

        Of one that began before it came nothing is told but what was said since; and to nobody who came later, what
        was taught before.
        """
        if self.watch.host is None and not self.joined:
            return episode
        quotes = [replace(one, person=self.known_as(one.person)) for one in episode.evidence if self._heard(one)]
        whole = not self.joined or episode.since > self.joined
        return replace(
            episode,
            person=self.known_as(episode.person),
            presenter=self.known_as(episode.presenter) if episode.presenter else None,
            since=max(episode.since, self.joined),
            evidence=tuple(quotes),
            offers=episode.offers if whole else (),
            cues=episode.cues if whole else (),
            reasons=self._reasons(episode) if whole else (Message("why.in_part"),),
        )

    def _reasons(self, episode: EpisodeState) -> tuple[Message, ...]:
        return tuple(one for one in episode.reasons if not self.joined or one.key not in _TAUGHT)

    def _score(self, view: View, episode: EpisodeState) -> float:
        return _sigmoid(episode.logit + prior(view.history.get(episode.person.account, History())))

    def _threshold(self) -> float:
        return threshold(self._settings, self.watch.sensitivity)

    def _raise(self, key: tuple[str, int], episode: EpisodeState, score: float, view: View) -> list[Effect]:
        body = self._body(episode, score, view)
        capped = len(self._raised) == self._raised.maxlen and episode.at - self._raised[0] < 3600.0
        if not capped:
            self._raised.append(episode.at)
        while len(self._open) >= MAX_OPEN:
            del self._open[next(iter(self._open))]
        self._open[key] = Sent(body.id, score, episode.at, body.evidence[-1].event_id)
        return [OpenAlert(body, capped, self._settings.alerts_per_hour)]

    def _update(self, sent: Sent, episode: EpisodeState, score: float, view: View) -> list[Effect]:
        newest = episode.evidence[-1].event_id
        if newest != sent.newest_quote:
            sent.newest_quote = newest
            sent.quotes_since += 1
        grown = score - sent.score >= UPDATE_SCORE or sent.quotes_since >= UPDATE_QUOTES
        if not grown or episode.at - sent.at < self._settings.update_seconds:
            return []
        # The warning says how sure it got at its surest; that evidence fades is no news to the reader.
        sent.score, sent.at, sent.quotes_since = max(score, sent.score), episode.at, 0
        return [UpdateAlert(self._body(episode, sent.score, view))]

    def _remark(self, key: tuple[str, int], episode: EpisodeState, score: float) -> list[Effect]:
        newest = episode.evidence[-1]
        if key in self._recorded or newest.pitch < 0.5:
            return []
        if len(self._recorded) >= MAX_OPEN:
            self._recorded.clear()
        self._recorded.add(key)
        remark = Finding("remark", episode.person, episode.at, score, Message("phase.pitch"), (newest,))
        return [self.note(remark)]

    def _end(self, key: tuple[str, int], sent: Sent | None, episode: EpisodeState) -> list[Effect]:
        self._recorded.discard(key)
        if sent is None:
            return []
        del self._open[key]
        last: list[Effect] = [EndEpisode(sent.alert, episode.at)]
        return last

    def _end_former(self, key: tuple[str, int], episode: EpisodeState) -> list[Effect]:
        """End the account's episode before this one, if its end was passed over because the next one came first."""
        former = self._open.pop((key[0], key[1] - 1), None)
        return [EndEpisode(former.alert, episode.since)] if former else []

    def _body(self, episode: EpisodeState, score: float, view: View) -> AlertBody:
        watch = self.watch
        history = view.history.get(episode.person.account, History())
        reasons = list(episode.reasons)
        if history.times_confirmed:
            reasons.append(Message("why.earlier_confirmed", {"count": history.times_confirmed}))
        if history.times_dismissed:
            reasons.append(Message("why.earlier_dismissed", {"count": history.times_dismissed}))
        return AlertBody(
            id=alert_id(watch.community, watch.room, self._show, episode.person.account, episode.number),
            community=watch.community,
            room=watch.room,
            show=self._show,
            channel=watch.channel,
            dry_run=watch.dry_run,
            person=episode.person,
            episode=episode.number,
            since=episode.since,
            at=episode.at,
            score=score,
            offers=episode.offers,
            cues=episode.cues,
            evidence=episode.evidence,
            reasons=tuple(reasons),
            presenter=episode.presenter,
        )

    def snapshot(self) -> dict[str, Any]:
        """Return what was said so far as JSON-able values, without text."""
        said = [[*key, s.alert, s.score, s.at, s.newest_quote, s.quotes_since] for key, s in self._open.items()]
        recorded = [list(key) for key in self._recorded]
        return {"open": said, "recorded": recorded, "raised": list(self._raised), "joined": self.joined}

    def restore(self, numbers: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._open = {
            (who, n): Sent(alert, score, at, quote, more) for who, n, alert, score, at, quote, more in numbers["open"]
        }
        self._recorded = {(who, n) for who, n in numbers["recorded"]}
        self._raised.extend(numbers["raised"])
        self.joined = numbers.get("joined", 0.0)


def threshold(settings: PolicySettings, sensitivity: Sensitivity) -> float:
    """Return the score from which a sensitivity warns, before a community's own decisions."""
    return {
        "low": settings.threshold_low,
        "normal": settings.threshold_normal,
        "high": settings.threshold_high,
    }[sensitivity]


def prior(history: History) -> float:
    """Return what earlier decisions about an account add to its evidence, in log-odds."""
    return max(-PRIOR_MOST, min(PRIOR_MOST, PRIOR_EACH * (history.confirmed - history.dismissed)))


def raised_threshold(usual: float, history: History) -> float:
    """Return the threshold after what a community dismissed in this kind of room. It never falls below the usual."""
    shift = max(0.0, min(KIND_MOST, KIND_EACH * (history.dismissed - history.confirmed / 2)))
    return _sigmoid(_logit(usual) + shift)


def needed(usual: float, history: History, kind_history: History) -> float:
    """Return the probability that the show alone must give before an account is warned about."""
    return _sigmoid(_logit(raised_threshold(usual, kind_history)) - prior(history))


def _was_dismissed(view: View, episode: EpisodeState) -> bool:
    """Whether all that could be quoted says nearly the same as what moderators dismissed before."""
    if not view.dismissed:
        return False
    signatures = [signature(quote.text) for quote in episode.evidence]
    return all(one is not None and any(near(one, other) for other in view.dismissed) for one in signatures)


def _sigmoid(logit: float) -> float:
    return round(1.0 / (1.0 + math.exp(-logit)), 4)


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))
