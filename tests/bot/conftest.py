"""Fixtures of the bot's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open store in a file of its own."""
    opened = Store(tmp_path / "test.db", busy_seconds=0.05)
    await opened.open()
    yield opened
    await opened.close()
