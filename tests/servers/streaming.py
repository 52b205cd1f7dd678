"""A local HTTP server of sound that can refuse, hang in the middle, break off, and come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web


@dataclass
class SoundServer:
    """What the next requests for the stream get, in order; the last one repeats."""

    folder: Path
    plan: list[str] = field(default_factory=lambda: ["whole"])
    requests: int = 0
    base: str = ""
    #: Files that are refused, and how often.
    broken_files: dict[str, int] = field(default_factory=dict)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Serve `live.mp3` as an endless-looking stream: no length, so no duration."""
        step = self.plan[min(self.requests, len(self.plan) - 1)]
        self.requests += 1
        self.asked.set()
        if step == "refuse":
            raise web.HTTPServiceUnavailable
        response = web.StreamResponse(headers={"Content-Type": "audio/mpeg"})
        await response.prepare(request)
        body = (self.folder / "live.mp3").read_bytes()
        half = len(body) // 2
        await response.write(body[:half])
        if step == "hang":
            await asyncio.sleep(3600)
        if step == "break":
            assert request.transport is not None
            request.transport.abort()
            return response
        await response.write(body[half:])
        await response.write_eof()
        return response

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Serve a file, or refuse it as often as it was said."""
        name = request.match_info["name"]
        if self.broken_files.get(name, 0) > 0:
            self.broken_files[name] -= 1
            raise web.HTTPServiceUnavailable
        path = self.folder / name
        return web.FileResponse(path) if path.is_file() else web.Response(status=404)


@asynccontextmanager
async def sound_server(folder: Path) -> AsyncIterator[SoundServer]:
    """Serve `folder` on loopback: its files under /files/, the stream at /live."""
    server = SoundServer(folder)
    app = web.Application()
    app.router.add_get("/live", server.stream)
    app.router.add_get("/files/{name}", server.file)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.base = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
