"""Why something is not heard or not shown: in each language, and nothing that is nobody's business."""

import pytest

from bot.messages import message_words
from bot.reasons import NOT_SHOWN, not_shown, reason_of
from bot.rooms import RoomError, RoomLostError
from bot.store import StoreError
from config.wording import LANGUAGES, say
from detectors.records import Message


@pytest.mark.parametrize(
    ("error", "english", "french"),
    [
        (RoomLostError("x", Message("reason.rights")), "may not read there", "ne peut pas y lire"),
        (RoomLostError("no answer"), "cannot be reached now (no answer)", "pas l’atteindre"),
        (RoomError("no such room"), "cannot be opened like this (no such room)", "pas l’ouvrir ainsi"),
        (StoreError("/somewhere/db is full"), "cannot read or write its notes", "ni lire ni écrire ses notes"),
        (ValueError("secret"), "something failed", "quelque chose a échoué"),
    ],
)
def test_why_a_room_is_not_heard(error: Exception, english: str, french: str) -> None:
    for language, words in (("en", english), ("fr", french)):
        told = message_words(reason_of(error), language, 200).replace("\\", "")
        assert words in told
        assert "secret" not in told and "/somewhere" not in told


def test_why_a_message_is_not_shown_is_kept_in_english_and_told_in_each_language() -> None:
    for key in NOT_SHOWN:
        assert [not_shown(say("en", key), language) for language in LANGUAGES] == [
            say(language, key) for language in LANGUAGES
        ]
    assert not_shown("500 Internal Server Error: https://…", "fr") == "Discord ne l’a pas accepté"
