"""Accounts as text and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.records import Account
from tests.stand_ins import reading

NO_COLON = st.text(st.characters(exclude_characters=":"))


@given(NO_COLON, NO_COLON, st.text())
def test_an_account_is_read_back_whatever_its_id_holds(platform: str, server: str, own_id: str) -> None:
    account = Account(platform, server, own_id)
    assert Account.parse(str(account)) == account


@pytest.mark.parametrize("text", ["", "replay", "replay:script"])
def test_an_account_with_a_part_missing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unpack"):
        Account.parse(text)


@pytest.mark.parametrize(
    ("pitch", "rest", "act"), [(0.7, "teach", "pitch"), (0.3, "teach", "teach"), (0.2, "spam", "spam")]
)
def test_a_reading_names_its_most_probable_act(pitch: float, rest: str, act: str) -> None:
    read = reading(pitch, rest)
    assert (read.pitch, read.act) == (pitch, act)
