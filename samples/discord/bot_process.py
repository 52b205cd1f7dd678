"""The bot as a process of its own, and how the demo says that something did not happen."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tests.servers.discord import DiscordServer

ROOT: Final = Path(__file__).parents[2]
TOKEN: Final = "demo-token"
#: Longest wait for any one thing, in seconds.
PATIENCE: Final = 100.0


class UnmetError(Exception):
    """Something that was expected did not happen. One line says what."""


def expect(met: object, what: str) -> None:
    """Raise UnmetError when something is not as it should be."""
    if not met:
        raise UnmetError(what)


class BotProcess:
    """The bot, run as on the command line. Its own words go to a file."""

    def __init__(self, settings: Path, log: Path, server: DiscordServer) -> None:
        self._settings = settings
        self._server = server
        self.log = log
        self.log.write_bytes(b"")
        self.process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        #: What it said of shows that are over.
        self.summaries: list[dict[str, Any]] = []

    async def start(self) -> None:
        """Start it, with nothing but the settings file and the token."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PITCHWATCH_")}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "run", "--json", "--config", str(self._settings)),
                cwd=ROOT,
                env=own | {"PITCHWATCH_DISCORD__TOKEN": TOKEN},
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process is not None and self.process.stdout is not None
        async for line in self.process.stdout:
            said = json.loads(line)
            if said["type"] == "summary":
                self.summaries.append(said)
                self._server.changes.notify()

    async def end(self, how: signal.Signals) -> int:
        """Send it a signal and return its exit code."""
        assert self.process is not None and self._reading is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(how)
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
            await self._reading
        return code
