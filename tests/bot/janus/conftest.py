"""What tests in the private network need."""

from collections.abc import AsyncIterator

import pytest

from bot.speech.hearing import Hearing
from config.settings import SpeechSettings


@pytest.fixture
async def hearing() -> AsyncIterator[Hearing]:
    """The recogniser, loaded."""
    loaded = Hearing(SpeechSettings.model_validate({"waiting": 64}))
    await loaded.start()
    yield loaded
    await loaded.close()
