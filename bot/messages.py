"""What Discord shows of a warning, as data: texts, a picture, buttons. Pure; the sink turns it into what is sent.

Discord refuses a whole message that is too long, so the same warning can be told in several degrees of detail, and
the fullest one that fits is taken. Everything that people said or named goes through `plain`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from bot.cards import clock, names
from bot.jump import jump_link, public_room
from bot.markdown import channel_mention, length, mention, moment, person, plain
from bot.parcels import DecisionRow, NoteRow, Parcel, QuoteRow
from config.wording import say
from detectors.records import Message
from detectors.taxonomy import CUES

D = TypeVar("D")

#: Discord's limits for one message. A role that is pinged stands in a text of its own: room is left for it.
MAX_COMPONENTS: Final = 40
MAX_CHARACTERS: Final = 4_000
_ROOM_FOR_PING: Final = 40
#: The file name of the picture that goes with every warning.
TIMELINE: Final = "timeline.png"
MAX_ALT: Final = 1_000

AMBER: Final = 0xF59E0B
RED_ORANGE: Final = 0xE2522B
GREY: Final = 0x80848E
BLUE: Final = 0x3B82F6

Style = Literal["primary", "secondary", "success", "danger"]
Certainty = Literal["message.possible", "message.likely", "message.very_likely"]


_DECIDED: Final = {"confirmed": "message.confirmed", "dismissed": "message.dismissed"}
_BUTTONS: Final = {
    "confirm": "button.confirm",
    "dismiss": "button.dismiss",
    "undo": "button.undo",
    "why": "button.why",
    "note": "button.note",
}
_SNOOZES: Final = {"show": "button.snooze_show", "day": "button.snooze_day", "week": "button.snooze_week"}


@dataclass(frozen=True, slots=True)
class Button:
    """A button; `custom_id` says what to do with which warning, so that it works after a restart."""

    custom_id: str
    label: str
    style: Style
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A line of a menu."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Menu:
    """A menu from which one thing is chosen."""

    custom_id: str
    placeholder: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """A text in Discord's markdown, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is attached under `name`; `alt` is read to those who do not see it."""

    name: str
    alt: str


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that is attached under `name`, to be opened."""

    name: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A line between two parts."""


@dataclass(frozen=True, slots=True)
class Row:
    """Up to five buttons, or one menu."""

    items: tuple[Button | Menu, ...]


Part = Words | Picture | Attached | Rule | Row


@dataclass(frozen=True, slots=True)
class Layout:
    """A message in one coloured container. `ping_role` is a role's number, set only when it is to be pinged."""

    accent: int
    parts: tuple[Part, ...]
    ping_role: str | None = None

    @property
    def characters(self) -> int:
        """How much text there is, as Discord limits it."""
        return sum(length(part.text) for part in self.parts if isinstance(part, Words))

    @property
    def components(self) -> int:
        """How many components there are, nested ones too: the container, its parts, what is in rows, and the ping."""
        nested = sum(len(part.items) for part in self.parts if isinstance(part, Row))
        return 1 + len(self.parts) + nested + (self.ping_role is not None)


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much is told: quotes, reasons, changes and notes at most, and the most characters of each kind of text."""

    quotes: int
    quote: int
    listed: int
    notes: int
    note: int
    name: int


_ALERT: Final = (
    _Detail(quotes=6, quote=300, listed=16, notes=3, note=300, name=60),
    _Detail(quotes=6, quote=220, listed=16, notes=3, note=160, name=60),
    _Detail(quotes=6, quote=140, listed=12, notes=2, note=100, name=40),
    _Detail(quotes=6, quote=80, listed=8, notes=1, note=80, name=30),
    _Detail(quotes=3, quote=60, listed=3, notes=1, note=40, name=16),
)
_WHY: Final = (
    _Detail(quotes=40, quote=300, listed=16, notes=0, note=0, name=60),
    _Detail(quotes=40, quote=160, listed=16, notes=0, note=0, name=60),
    _Detail(quotes=24, quote=100, listed=16, notes=0, note=0, name=40),
    _Detail(quotes=16, quote=80, listed=10, notes=0, note=0, name=30),
    _Detail(quotes=8, quote=60, listed=6, notes=0, note=0, name=16),
    _Detail(quotes=3, quote=60, listed=3, notes=0, note=0, name=16),
)


def alert_layout(
    parcel: Parcel, language: str, *, ping_role: str | None = None, ping_from: float = 0.95, dry_run: bool = False
) -> Layout:
    """Return a warning. The role is pinged when it is first sent and at least `ping_from` sure, never in a dry run."""
    pinged = ping_role if parcel.first and parcel.status == "open" and parcel.score >= ping_from else None
    colours = {"confirmed": RED_ORANGE, "dismissed": GREY}
    accent = BLUE if dry_run else colours.get(parcel.status, AMBER)

    def build(detail: _Detail) -> Layout:
        parts: list[Part] = [
            Words(_head(parcel, language, detail, dry_run)),
            Rule(),
            Words(_quotes(parcel, language, detail)),
            Picture(TIMELINE, _timeline_words(parcel, language)),
            Words(_reasons(parcel, language, detail)),
        ]
        if state := _state(parcel, language, detail):
            parts += [Rule(), Words(state)]
        parts += [Words(f"-# {say(language, 'alert.judgement')}"), *controls(parcel, language)]
        return Layout(accent, tuple(parts), None if dry_run else pinged)

    return fullest(build, _ALERT)


def why_text(parcel: Parcel, language: str, threshold: float, lines: Sequence[Message]) -> Layout:
    """Return the answer to Why: every quote with what it was read as, the threshold, and `lines` (see `log_line`)."""

    def build(detail: _Detail) -> Layout:
        numbers = {"threshold": percent(threshold), "score": percent(parcel.score)}
        head = f"### {say(language, 'answer.why')} · {plain(parcel.name, detail.name)}"
        told = [message_words(line, language, detail.name) for line in lines]
        parts: list[Part] = [
            Words(f"{head}\n{say(language, 'answer.threshold', **numbers)}"),
            Rule(),
            Words(_quotes(parcel, language, detail, readings=True)),
            Words(_reasons(parcel, language, detail)),
        ]
        if told:
            # The newest of a long log say how things stand.
            shown = told[-detail.listed :]
            parts.append(Words("\n".join([f"**{say(language, 'answer.log')}**", *(f"- {line}" for line in shown)])))
        parts.append(Words(f"-# {say(language, 'alert.judgement')}"))
        return Layout(AMBER, tuple(parts))

    return fullest(build, _WHY)


def fullest(build: Callable[[D], Layout], details: Sequence[D]) -> Layout:
    """Return the layout in the fullest detail that fits into a message; the last detail fits whatever was said."""
    for detail in details:
        layout = build(detail)
        if layout.characters <= MAX_CHARACTERS - _ROOM_FOR_PING:
            break
    return layout


def percent(share: float) -> int:
    """Return a probability in percent. Nothing is ever called impossible or certain."""
    return max(1, min(99, round(100 * share)))


def certainty(score: float) -> Certainty:
    """Return the key of the word for how sure a warning is. There is none for "certain"."""
    if score >= 0.9:
        return "message.very_likely"
    return "message.likely" if score >= 0.7 else "message.possible"


def message_words(message: Message, language: str, most: int = 60) -> str:
    """Return a message with the names and words in it made harmless.

    Only `by`, `when` and `until` become what Discord draws: our own messages fill those, never what was said.
    """
    values: dict[str, object] = {}
    for key, value in message.params.items():
        if not isinstance(value, str):
            values[key] = value
        elif key == "by":
            values[key] = person(value, most)
        elif key in ("when", "until"):
            values[key] = moment(value, "R" if key == "when" else "f")
        else:
            values[key] = plain(value, most)
    return say(language, message.key, **values)


def _head(parcel: Parcel, language: str, detail: _Detail, dry_run: bool) -> str:
    name = plain(parcel.name, detail.name)
    lines = [f"-# {say(language, 'alert.dry_run')}"] if dry_run else []
    sure = say(language, "message.sure", word=say(language, certainty(parcel.score)), percent=percent(parcel.score))
    lines.append(f"### {say(language, 'alert.new')} · {sure}")
    number = mention(parcel.account)
    known = f" {number}" if number else "" if parcel.verified else f" (*{say(language, 'alert.unverified')}*)"
    facts = {"alert.who": f"**{name}**{known}"}
    if (presenter := _presenter(parcel)) is not None:
        facts["message.speaks_for"] = say(language, "message.presents", name=plain(presenter, detail.name))
    facts["alert.where"] = _where(parcel, language, detail)
    since = [say(language, "message.at", clock=clock(parcel.since))]
    if parcel.raised:
        since.append(say(language, "message.raised", when=moment(parcel.raised, "R")))
    now = "message.over" if parcel.ended else "message.away" if parcel.away else "message.running"
    since.append(say(language, now))
    facts["alert.since"] = " · ".join(since)
    facts["alert.offers"] = names(language, "offer", parcel.offers) or say(language, "alert.no_offer")
    return "\n".join([*lines, *(f"**{say(language, key)}** · {value}" for key, value in facts.items())])


def _presenter(parcel: Parcel) -> str | None:
    """Return whom the account speaks for, as far as the reasons name somebody."""
    named = (str(r.params["name"]) for r in parcel.reasons if r.key == "why.for_presenter" and "name" in r.params)
    return next(named, None)


def _where(parcel: Parcel, language: str, detail: _Detail) -> str:
    title = plain(parcel.show_title, detail.name) if parcel.show_title.strip() else ""
    seat = say(language, "message.seat", seat=parcel.seat) if parcel.seat is not None else ""
    return " · ".join(part for part in (title, room_words(parcel.room, detail.name), seat) if part)


def room_words(room: str, most: int) -> str:
    """Return a room as people know it."""
    kind, _, address = room.partition(":")
    channel = channel_mention(address) if kind == "discord" else None
    return channel or plain(public_room(room), most)


def _quotes(parcel: Parcel, language: str, detail: _Detail, readings: bool = False) -> str:
    """Return the first quote, with which it began, and the newest ones; those between are counted."""
    lines = [f"**{say(language, 'message.said')}**"]
    quotes = parcel.evidence
    if not quotes:
        return "\n".join([*lines, say(language, "message.quotes_gone")])
    left = max(0, len(quotes) - detail.quotes)
    shown = [_quote(parcel, quote, language, detail, readings) for quote in (quotes[0], *quotes[1 + left :])]
    if left:
        shown.insert(1, f"> *{say(language, 'message.quotes_left', count=left)}*")
    return "\n".join(lines + shown)


def _quote(parcel: Parcel, quote: QuoteRow, language: str, detail: _Detail, readings: bool) -> str:
    link = None if quote.deleted else jump_link(parcel.room, quote.event_id, quote.at)
    when = f"[{clock(quote.at)}]({link})" if link else f"**{clock(quote.at)}**"
    # Quotes are the account's own; a name says something only where it changed.
    who = "" if quote.who == parcel.name else f" {plain(quote.who, detail.name)}"
    chat = f" ({say(language, 'message.chat')})" if quote.kind == "chat" else ""
    said = say(language, "message.quote", text=plain(quote.text, detail.quote))
    gone = f" ({say(language, 'message.deleted_since')})" if quote.deleted else ""
    line = f"> {when}{who}{chat} {said}{gone}"
    if readings and quote.pitch:
        line += f" *{say(language, 'message.read_with', percent=percent(quote.pitch))}*"
    return line


def _reasons(parcel: Parcel, language: str, detail: _Detail) -> str:
    """Return what speaks for it, and what was looked for and not found."""
    told = [r for r in parcel.reasons if r.key != "why.for_presenter"]
    lines = [message_words(reason, language, detail.name) for reason in told[: detail.listed]]
    if len(told) > detail.listed:
        lines.append(say(language, "message.left", count=len(told) - detail.listed))
    if not any(reason.key == "why.earlier_confirmed" for reason in told):
        lines.append(say(language, "message.never_confirmed"))
    absent = [cue for cue in CUES if cue not in parcel.cues]
    if absent and all(reason.key != "why.in_part" for reason in told):
        lines.append(say(language, "message.absent", cues=names(language, "why.cue.noun", absent)))
    if parcel.lost_seconds >= 1 or parcel.unread:
        lines.append(say(language, "message.unheard", time=clock(parcel.lost_seconds), lines=parcel.unread))
    return "\n".join([f"**{say(language, 'message.seen')}**", *(f"- {line}" for line in lines)])


def _state(parcel: Parcel, language: str, detail: _Detail) -> str:
    """Return what became of the warning: the decision and what it changed, notes, a snooze, what the cap held back."""
    lines = []
    if parcel.decision is not None:
        lines.append(decision_words(parcel.decision, language, _DECIDED, detail.name))
        changes = parcel.decision.changes[: detail.listed]
        lines += [f"- {message_words(change, language, detail.name)}" for change in changes]
    if (left := len(parcel.notes) - detail.notes) > 0:
        lines.append(f"-# {say(language, 'message.left', count=left)}")
    lines += [_note(note, language, detail) for note in parcel.notes[-detail.notes :]]
    if parcel.snoozed_until is not None:
        lines.append(say(language, "message.snoozed", until=moment(parcel.snoozed_until, "f")))
    if parcel.more:
        lines.append(say(language, "message.held_back", count=parcel.more))
    return "\n".join(lines)


def _note(note: NoteRow, language: str, detail: _Detail) -> str:
    by, text = person(note.by, detail.name), plain(note.text, detail.note)
    return say(language, "message.note", by=by, text=text)


def decision_words(decision: DecisionRow, language: str, keys: Mapping[str, str], most: int = 60) -> str:
    """Return who decided what, and when, in the words that `keys` has for that decision."""
    by, when = person(decision.by, most), moment(decision.decided, "R")
    return say(language, keys[decision.decision], by=by, when=when)


def _timeline_words(parcel: Parcel, language: str) -> str:
    lengths = dict.fromkeys(("teach", "talk", "pitch"), 0.0)
    for span in parcel.phases:
        lengths[span.phase] += span.until - span.at
    told = [f"{say(language, f'phase.{phase}')} {clock(total)}" for phase, total in lengths.items() if total > 0]
    phases = ", ".join(told) or say(language, "message.no_phases")
    words = say(language, "message.timeline", length=clock(parcel.show_seconds), phases=phases) + "."
    if parcel.evidence:
        times = ", ".join(clock(quote.at) for quote in parcel.evidence[:40])
        words += f" {say(language, 'message.quoted_at', times=times)}"
    return words[:MAX_ALT]


def controls(parcel: Parcel, language: str) -> list[Part]:
    """Return the buttons: an open warning can be decided and snoozed, what was decided or snoozed can be undone."""

    def button(action: str, style: Style = "secondary") -> Button:
        return Button(f"pw:{action}:{parcel.alert}", say(language, _BUTTONS[action]), style)

    undo, rest = button("undo"), (button("why"), button("note"))
    if parcel.status != "open":
        return [Row((undo, *rest))]
    snoozed = (undo,) if parcel.snoozed_until is not None else ()
    choices = tuple(Choice(value, say(language, key)) for value, key in _SNOOZES.items())
    menu = Menu(f"pw:snooze:{parcel.alert}", say(language, "button.snooze"), choices)
    return [Row((button("confirm", "primary"), button("dismiss"), *snoozed, *rest)), Row((menu,))]
