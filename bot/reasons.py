"""Why a room is not heard, or a message not shown, as something that can be said in each language."""

from typing import Final

from bot.rooms import RoomError, RoomLostError
from bot.store import StoreError
from config.wording import say
from detectors.records import Message

#: Why a message is not shown. It is written down in English, as it is logged.
NOT_SHOWN: Final = ("blocked.gone", "blocked.rights", "blocked.no_answer", "blocked.unknown")


def reason_of(error: BaseException) -> Message:
    """Return why a room failed. Of failures that are nobody's business outside, nothing is told but that."""
    if isinstance(error, RoomError | RoomLostError):
        if error.reason is not None:
            return error.reason
        key = "reason.lost" if isinstance(error, RoomLostError) else "reason.wrong"
        return Message(key, {"details": str(error)})
    return Message("reason.store" if isinstance(error, StoreError) else "reason.failed")


def not_shown(written: str | None, language: str) -> str:
    """Return why a message is not shown, as it was written down, in a language."""
    key = next((key for key in NOT_SHOWN if say("en", key) == written), "blocked.other")
    return say(language, key)
