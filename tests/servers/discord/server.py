"""The server: REST over HTTP, the gateway over a websocket, files, and what a test arranges and observes."""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from typing import Any, Self, TypeVar
from urllib.parse import unquote

from aiohttp import web

from tests.servers.discord import rest_interactions, rest_messages, rest_places
from tests.servers.discord.acting import Acting
from tests.servers.discord.api import ROUTES, Answer, Call, Request
from tests.servers.discord.faults import Bucket, Fault, Hold
from tests.servers.discord.gateway import Gateway
from tests.servers.discord.interactions import InteractionRecord
from tests.servers.discord.people import Message
from tests.servers.discord.reading import read_request
from tests.servers.discord.refusals import RefusedError
from tests.servers.discord.rest_app import Commands
from tests.servers.discord.times import PATIENCE, Changes, Clock
from tests.servers.discord.world import World

T = TypeVar("T")
log = logging.getLogger(__name__)

#: Importing these modules fills the table of routes.
FILLED = (rest_interactions, rest_messages, rest_places)
#: The routes that need no token of the bot: theirs is in the path.
OPEN = ("/interactions/", "/webhooks/")


class DiscordServer(Acting):
    """Start with `async with DiscordServer() as server`; tests fill `server.world`, before or while a bot is there."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.changes = Changes()
        self.world = World(self.clock, self.changes)
        self.gateway_state = Gateway(self.world)
        self.commands = Commands()
        self.interactions: dict[str, InteractionRecord] = {}
        #: Messages that only one person sees.
        self.ephemeral: dict[int, Message] = {}
        #: Every request, once it was answered.
        self.requests: list[Request] = []
        #: Told of every request once it was done, before its answer leaves.
        self.onlookers: list[Callable[[Request], None]] = []
        #: Requests to routes that this server does not have: a test should find none.
        self.unknown_routes: list[str] = []
        #: What went wrong inside this server, which is a mistake in it: a test should find none.
        self.errors: list[BaseException] = []
        self.nonces: dict[str, tuple[Any, Message]] = {}
        #: The most bytes that one file may have.
        self.most_bytes = 10 * 2**20
        #: While set, a search is answered with "not yet indexed, come back in so many seconds".
        self.search_indexing: float | None = None
        self._faults: list[Fault] = []
        self._holds: list[Hold] = []
        self._buckets: list[Bucket] = []
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=200 * 2**20)
        app.router.add_get("/gateway/", self.gateway_state.handle)
        app.router.add_get("/attachments/{channel}/{attachment}/{name}", self._file)
        app.router.add_route("*", "/api/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        self.gateway_state.url, self.world.cdn = self.gateway, self.cdn
        return self

    async def __aexit__(self, *_: object) -> None:
        for hold in self._holds:
            hold.release()
        await self.gateway_state.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def api_base(self) -> str:
        """Where REST is, for `discord.http.Route.BASE`."""
        return f"http://127.0.0.1:{self._port}/api"

    @property
    def gateway(self) -> str:
        """Where the gateway is, for `DiscordWebSocket.DEFAULT_GATEWAY`."""
        return f"ws://127.0.0.1:{self._port}/gateway/"

    @property
    def cdn(self) -> str:
        """Where files are, for `discord.asset.Asset.BASE`."""
        return f"http://127.0.0.1:{self._port}"

    # ---- what goes wrong

    def fail_next(
        self,
        method: str,
        pattern: str,
        status: int = 500,
        times: int | None = 1,
        *,
        code: int = 0,
        message: str = "failing on purpose",
        body: Any = None,
        where: Callable[[Request], bool] | None = None,
    ) -> Fault:
        """Answer requests that fit with an error. `times=None`: until `.clear()`. `method` may be `*`."""
        answer = {"message": message, "code": code} if body is None else body
        return self._fault(Fault(method, pattern, times, status, answer, where=where))

    def rate_limit(
        self,
        pattern: str,
        retry_after: float = 0.05,
        times: int | None = 1,
        *,
        method: str = "*",
        everywhere: bool = False,
        via: bool = True,
    ) -> Fault:
        """Answer requests that fit with 429. `everywhere`: the global limit. Without `via`: as Cloudflare bans."""
        body = {"message": "You are being rate limited.", "retry_after": retry_after, "global": everywhere}
        headers = {"Via": "1.1 google"} if via else {}
        headers |= {"Retry-After": str(max(1, round(retry_after)))}
        headers |= {"X-RateLimit-Global": "true"} if everywhere else {"X-RateLimit-Scope": "user"}
        return self._fault(Fault(method, pattern, times, 429, body, headers))

    def enforce_limit(self, pattern: str, limit: int, per: float) -> Bucket:
        """Let only so many requests to what fits through per so many seconds, and say so in the headers."""
        self._buckets.append(Bucket(pattern, limit, per))
        return self._buckets[-1]

    def lose_answer(self, method: str, pattern: str, times: int | None = 1) -> Fault:
        """Do what is asked, and cut the connection off before the answer: the client cannot know."""
        return self._fault(Fault(method, pattern, times, lose_answer=True))

    def lose_request(self, method: str, pattern: str, times: int | None = 1) -> Fault:
        """Cut the connection off without doing anything: to the client, the same."""
        return self._fault(Fault(method, pattern, times, lose_request=True))

    def hold(self, method: str, pattern: str, *, after: bool = False) -> Hold:
        """Keep requests that fit waiting until `.release()`; `after`: they are done, but not answered."""
        self._holds.append(Hold(method, pattern, after))
        return self._holds[-1]

    def refuse_search(self, status: int = 403, code: int = 50001, times: int | None = None) -> Fault:
        """Refuse guild message search."""
        return self.fail_next("GET", r"/guilds/\d+/messages/search", status, times, code=code, message="Missing Access")

    async def drop_gateway(self, code: int = 4000, resumable: bool = True) -> None:
        """Close every gateway connection with a code; without `resumable` the sessions are forgotten."""
        await self.gateway_state.drop(code, resumable)

    def clear_faults(self) -> None:
        """End everything that goes wrong with requests."""
        self._faults.clear()

    def _fault(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    # ---- observing

    async def wait_for(self, condition: Callable[[], T], seconds: float = PATIENCE) -> T:
        """Wait until a condition over the server's state holds, asked after every change; return its result."""
        return await self.changes.until(condition, seconds)

    async def request(self, method: str, pattern: str, count: int = 1, seconds: float = PATIENCE) -> Request:
        """Wait until so many requests that fit were answered; return the last of them."""
        try:
            found = await self.wait_for(lambda: _enough(self.sent(method, pattern), count), seconds)
        except TimeoutError:
            raise TimeoutError(f"no {method} {pattern} among:\n" + "\n".join(map(str, self.requests[-30:]))) from None
        return found[count - 1]

    def sent(self, method: str, pattern: str) -> list[Request]:
        """Return the requests so far that fit."""
        return [one for one in self.requests if one.fits(method, pattern)]

    def assert_clean(self) -> None:
        """Fail if a client asked for something this server does not have, or the server itself made a mistake."""
        assert not self.unknown_routes, self.unknown_routes
        assert not self.errors, self.errors

    def forget(self, *messages: Message) -> None:
        """Delete messages over REST."""
        for_channel = [one for one in messages if not one.deleted]
        if for_channel:
            self.world.remove(for_channel)

    # ---- serving

    async def _file(self, raw: web.Request) -> web.Response:
        file = self.world.files.get(int(raw.match_info["attachment"]))
        if file is None or unquote(raw.match_info["name"]) != file.filename:
            return web.Response(status=404)
        return web.Response(body=file.data, content_type=file.as_json()["content_type"])

    async def _rest(self, raw: web.Request) -> web.StreamResponse:
        request = await read_request(raw, self.clock.now())
        for hold in list(self._holds):
            await hold.pass_by(request, after=False)
        fault = next((one for one in self._faults if one.take(request)), None)
        headers: dict[str, str] = {}
        if fault is not None and (fault.status is not None or fault.lose_request):
            answer, headers, request.failed = Answer(fault.status or 0, fault.body), fault.headers, True
        else:
            answer, headers = self._limited(request)
        request.status, request.answer = answer.status, answer.body
        self.requests.append(request)
        for onlooker in self.onlookers:
            onlooker(request)
        self.changes.notify()
        for hold in list(self._holds):
            await hold.pass_by(request, after=True)
        if fault is not None and (fault.lose_answer or fault.lose_request) and raw.transport is not None:
            raw.transport.close()
            return web.Response(status=500)
        return _response(answer, headers)

    def _limited(self, request: Request) -> tuple[Answer, dict[str, str]]:
        now = time.monotonic()
        bucket = next((one for one in self._buckets if request.fits("*", one.pattern)), None)
        taken = bucket.take(now) if bucket is not None else (49, 1.0)
        limit = bucket.limit if bucket is not None else 50
        if taken is None and bucket is not None:
            wait = bucket.wait(now)
            body = {"message": "You are being rate limited.", "retry_after": wait, "global": False}
            return Answer(429, body), {"Via": "1.1 google", **_limits(request, limit, 0, wait)}
        remaining, wait = taken or (0, 1.0)
        answer, template = self._perform(request)
        return answer, _limits(request, limit, remaining, wait, template)

    def _perform(self, request: Request) -> tuple[Answer, str]:
        found = ROUTES.find(request.method, request.path)
        if found is None:
            line = f"{request.method} {request.path}"
            log.error("this server has no route %s: %s", line, request.body)
            self.unknown_routes.append(line)
            return Answer(404, {"message": "404: Not Found", "code": 0}), ""
        handler, template, ids = found
        try:
            if not request.path.startswith(OPEN) and request.authorization != f"Bot {self.gateway_state.token}":
                raise RefusedError(401, 0, "401: Unauthorized")
            result = handler(Call(self, request, ids))
        except RefusedError as error:
            log.info("refused %s: %s", request, error)
            return Answer(error.status, error.body()), template
        except Exception as error:
            log.exception("a mistake in the server of the tests: %s", request)
            self.errors.append(error)
            return Answer(500, {"message": repr(error), "code": 0}), template
        return result if isinstance(result, Answer) else Answer(204 if result is None else 200, result), template


def _enough(found: list[Request], count: int) -> list[Request]:
    return found if len(found) >= count else []


def _limits(request: Request, limit: int, remaining: int, wait: float, template: str = "") -> dict[str, str]:
    name = f"{request.method} {template}".encode()
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": f"{time.time() + wait:.3f}",
        "X-RateLimit-Reset-After": f"{wait:.3f}",
        "X-RateLimit-Bucket": hashlib.md5(name, usedforsecurity=False).hexdigest(),
        "Via": "1.1 google",
    }


def _response(answer: Answer, headers: dict[str, str]) -> web.Response:
    """Answer in JSON with the very type that Discord gives, without a charset."""
    if answer.body is None:
        return web.Response(status=answer.status, headers=headers)
    kind = {"Content-Type": "application/json" if not isinstance(answer.body, str) else "text/html"}
    text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
    return web.Response(body=text.encode(), status=answer.status, headers={**headers, **kind})
