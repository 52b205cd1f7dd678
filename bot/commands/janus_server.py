"""A real Janus on this machine, for the demo, the measurements and the tests, in a network of its own.

Janus and the WebRTC stack both refuse loopback, so it runs in a private network namespace with one other interface.
Nothing of it is reached from outside, and nothing outside is reached from there. No root is needed.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

#: The address inside the private network, and Janus's port.
ADDRESS: Final = "10.77.0.1"
PORT: Final = 8188
URL: Final = f"ws://{ADDRESS}:{PORT}/janus"
#: Where it is administered, which only servers with tokens are.
ADMIN_PORT: Final = 7188
ADMIN: Final = f"ws://{ADDRESS}:{ADMIN_PORT}/admin"
#: Longest wait for Janus to answer, in seconds.
START_SECONDS: Final = 20.0
#: Set inside the private network.
_INSIDE: Final = "JANUS_PRIVATE_NETWORK"
_SETUP: Final = (
    "ip link set lo up && ip link add pw0 type veth peer name pw1 &&"
    f' ip addr add {ADDRESS}/24 dev pw0 && ip link set pw0 up && ip link set pw1 up && exec "$@"'
)
_NEEDED: Final = {"janus": "janus", "ip": "iproute2", "unshare": "util-linux"}
#: What is not needed, and not loaded.
_PLUGINS: Final = (
    *("audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay", "sip", "streaming", "videocall", "voicemail"),
)
_TRANSPORTS: Final = ("http", "mqtt", "nanomsg", "pfunix", "rabbitmq")


@dataclass(frozen=True)
class ServedRoom:
    """A VideoRoom and the TextRoom of the same number."""

    number: int
    description: str
    publishers: int = 4
    pin: str | None = None
    secret: str = "for the room's own people"


@dataclass(frozen=True)
class Guard:
    """What a server asks of everybody: its API secret, or a token that its administration gave out (`admit`)."""

    api_secret: str | None = field(default=None, repr=False)
    tokens: bool = False
    admin_secret: str = field(default="for the server's own people", repr=False)


def missing() -> str | None:
    """Return why no Janus can run here, or None."""
    for program, package in _NEEDED.items():
        if shutil.which(program) is None:
            return f"{program} is not installed: apt-get install {package}"
    if _folders() is None:
        return "Janus's plugins are not where Debian puts them: apt-get install janus"
    if not is_inside() and _unshare() is None:
        return "no private network can be made here: namespaces are not allowed"
    return None


def is_inside() -> bool:
    """Whether this process runs in the private network."""
    return _INSIDE in os.environ


def run_inside(command: Sequence[str], **more: object) -> int:
    """Run a command in a private network of its own; return its exit code."""
    unshare = _unshare()
    if unshare is None:
        raise RuntimeError("no private network can be made here: namespaces are not allowed")
    whole = [*unshare, "sh", "-c", _SETUP, "private", *command]
    return subprocess.run(whole, env={**os.environ, _INSIDE: "1"}, check=False, **more).returncode  # type: ignore[call-overload, no-any-return]


def _unshare() -> list[str] | None:
    """Return how a private network is made here: as nobody in particular, or as root."""
    for way in (["unshare", "--map-root-user", "--net"], ["unshare", "--net"]):
        probe = [*way, "ip", "link", "add", "pw0", "type", "veth", "peer", "name", "pw1"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return way
    return None


def _folders() -> Path | None:
    """Return the folder of Janus's plugins and transports."""
    found = sorted(Path("/usr/lib").glob("*/janus/plugins/libjanus_textroom.so"))
    return found[0].parents[1] if found else None


class JanusServer:
    """Use as an asynchronous context manager, inside the private network. May be killed and started again."""

    def __init__(self, folder: Path, rooms: Sequence[ServedRoom], guard: Guard | None = None) -> None:
        """`folder` takes its files."""
        self._folder = folder
        self._guard = guard or Guard()
        self._process: asyncio.subprocess.Process | None = None
        _write_files(folder, rooms, self._guard)

    def serve(self, *rooms: ServedRoom) -> None:
        """Have other rooms from the next start on."""
        _write_files(self._folder, rooms, self._guard)

    async def admit(self, token: str) -> None:
        """Give out a token. Raises RuntimeError when Janus does not take it."""
        order = {"janus": "add_token", "token": token, "transaction": "1", "admin_secret": self._guard.admin_secret}
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(ADMIN, protocols=("janus-admin-protocol",)) as admin,
        ):
            await admin.send_json(order)
            answer = await admin.receive_json(timeout=START_SECONDS)
        if answer.get("janus") != "success":
            raise RuntimeError("Janus does not take the token")

    async def __aenter__(self) -> "JanusServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop(signal.SIGTERM)

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start it; returns when it answers. Raises RuntimeError when it does not, with the end of its log."""
        log = self._folder / "janus.log"
        with log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                "janus", "-F", str(self._folder), stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            async with asyncio.timeout(START_SECONDS):
                while self._process.returncode is None:
                    try:
                        _, writer = await asyncio.open_connection(ADDRESS, PORT)
                    except OSError:
                        await asyncio.sleep(0.05)
                        continue
                    writer.close()
                    return
        except TimeoutError:
            pass
        await self.stop(signal.SIGKILL)
        raise RuntimeError(f"Janus does not start: {log.read_text(errors='replace')[-2000:]}")

    async def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it: with SIGKILL as by a failure of the machine."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        try:
            async with asyncio.timeout(5.0):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _write_files(folder: Path, rooms: Sequence[ServedRoom], guard: Guard) -> None:
    installed = _folders()
    assert installed is not None
    secret = f'api_secret = "{guard.api_secret}"' if guard.api_secret else ""
    plugins, transports = (",".join(f"libjanus_{name}.so" for name in names) for names in (_PLUGINS, _TRANSPORTS))
    files = {
        "janus.jcfg": f"""
general: {{
    configs_folder = "{folder}"
    plugins_folder = "{installed / "plugins"}"
    transports_folder = "{installed / "transports"}"
    events_folder = "{installed / "events"}"
    loggers_folder = "{installed / "loggers"}"
    debug_level = 4
    debug_colors = false
    server_name = "Pitchwatch's own"
    token_auth = {str(guard.tokens).lower()}
    admin_secret = "{guard.admin_secret}"
    {secret}
}}
media: {{ rtp_port_range = "20000-24000" }}
nat: {{ ice_enforce_list = "{ADDRESS}"  ignore_mdns = true }}
plugins: {{ disable = "{plugins}" }}
transports: {{ disable = "{transports}" }}
""",
        "janus.transport.websockets.jcfg": f"""
general: {{ json = "compact"  ws = true  ws_port = {PORT}  ws_ip = "{ADDRESS}"  wss = false }}
admin: {{ admin_ws = {str(guard.tokens).lower()}  admin_ws_port = {ADMIN_PORT}  admin_ws_ip = "{ADDRESS}" }}
""",
        "janus.plugin.videoroom.jcfg": "".join(_video_room(room) for room in rooms),
        "janus.plugin.textroom.jcfg": "".join(_text_room(room) for room in rooms),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _video_room(room: ServedRoom) -> str:
    pin = f'pin = "{room.pin}"' if room.pin else ""
    return f"""
room-{room.number}: {{
    description = "{room.description}"
    publishers = {room.publishers}
    bitrate = 128000
    audiocodec = "opus"
    notify_joining = true
    record = false
    secret = "{room.secret}"
    {pin}
}}
"""


def _text_room(room: ServedRoom) -> str:
    pin = f'pin = "{room.pin}"' if room.pin else ""
    return f'room-{room.number}: {{ description = "{room.description}"  history = 50  {pin} }}\n'


def main() -> int:
    """`python -m bot.commands.janus_server COMMAND…`: run a command in a private network."""
    why = missing()
    if why is not None:
        print(f"janus: {why}", file=sys.stderr)
        return 1
    return run_inside(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
