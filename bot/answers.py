"""What a moderator is answered after a click. Pure: what stands in the store goes in, Discord's markdown comes out."""

from collections.abc import Sequence
from typing import Any, Final

from bot.markdown import moment
from bot.messages import decision_words, message_words, percent
from bot.parcels import DecisionRow
from config.wording import say
from detectors.records import Message

_ALREADY: Final = {"confirmed": "answer.already_confirmed", "dismissed": "answer.already_dismissed"}
_DONE: Final = {"confirmed": "answer.confirmed", "dismissed": "answer.dismissed"}
_LOG: Final = {
    "confirmed": "log.confirmed",
    "dismissed": "log.dismissed",
    "undo": "log.undo",
    "snooze": "log.snooze",
    "note": "log.note",
    "note_undone": "log.note_undone",
}
#: Changes told in one answer.
MAX_CHANGES: Final = 8


def decided_text(decision: DecisionRow, language: str) -> str:
    """Return the answer to whoever decided: what it is now, and what that changed."""
    lines = [say(language, _DONE[decision.decision])]
    if decision.changes:
        lines.append(say(language, "answer.changed"))
        lines += [f"- {message_words(change, language)}" for change in decision.changes[:MAX_CHANGES]]
    else:
        lines.append(say(language, "answer.nothing_changed"))
    return "\n".join(lines)


def already_text(decision: DecisionRow, language: str) -> str:
    """Return the answer to whoever came second: who decided what, when, and how to take that back."""
    return decision_words(decision, language, _ALREADY)


def undone_text(done: bool, language: str) -> str:
    """Return the answer to Undo: whether there was something to take back."""
    return say(language, "answer.undone" if done else "answer.nothing_to_undo")


def snoozed_text(until: str, language: str) -> str:
    """Return the answer to a snooze that lasts until a moment (ISO time)."""
    return say(language, "answer.snoozed", until=moment(until, "f"))


def noted_text(language: str) -> str:
    """Return the answer to a note."""
    return say(language, "answer.noted")


def log_line(actor: str, action: str, done: str, details: dict[str, Any]) -> Message:
    """Return a line of the log of decisions, for `why_text`. `actor` is an account, `done` an ISO time."""
    known = _LOG.get(action)
    params = {"by": actor, "when": done}
    if known is None:
        return Message("log.other", {**params, "action": action})
    return Message(known, {**params, "until": str(details.get("until", ""))} if action == "snooze" else params)


def needed_line(own: float, usual: float) -> Message:
    """Return how far earlier decisions moved what is needed to warn about the account, for `why_text`."""
    values: Sequence[int] = (percent(own), percent(usual))
    if values[0] == values[1]:
        return Message("answer.not_moved")
    return Message("answer.needed", {"own": values[0], "usual": values[1]})
