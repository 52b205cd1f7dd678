"""Hearing for the whole process: one pool and one voice detector, loaded when the first source is listened to."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from bot.speech.ear import Ear, EarSettings, LanguageMemory
from bot.speech.live import LiveSource
from bot.speech.model_files import Progress, shipped_model
from bot.speech.pool import PoolSettings, SpeechPool
from bot.speech.silero import load_session
from bot.speech.worker import WorkerSettings
from config.settings import SpeechSettings

log = logging.getLogger(__name__)


class Hearing:
    """Gives ears. Nothing is loaded before the first one."""

    def __init__(self, settings: SpeechSettings, progress: Progress | None = None) -> None:
        self._settings = settings
        self._progress = progress
        self._starting = asyncio.Lock()
        self._pool: SpeechPool | None = None
        self._session: Any = None

    @property
    def pool(self) -> SpeechPool | None:
        """The pool, once something was listened to."""
        return self._pool

    async def start(self) -> SpeechPool:
        """Load what hearing needs, once. Raises SpeechError."""
        async with self._starting:
            if self._pool is None:
                model = self._settings.model or str(await asyncio.to_thread(shipped_model, None, self._progress))
                worker = WorkerSettings(
                    model, self._settings.threads, tuple(self._settings.languages), self._settings.beam
                )
                pool = SpeechPool(PoolSettings(worker, self._settings.workers, self._settings.waiting))
                self._session = await asyncio.to_thread(load_session)
                await pool.start()
                self._pool = pool
            return self._pool

    async def ear(
        self,
        source: str | LiveSource,
        settings: EarSettings,
        speaker: Callable[[float], str] = lambda at: "",
        memory: LanguageMemory | None = None,
    ) -> Ear:
        """Return an ear on an address or on live sound. Raises SpeechError when there is no model to hear with."""
        pool = await self.start()
        return Ear(source, pool, self._session, settings, speaker, memory)

    async def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            await self._pool.close()
