"""`make demo-janus`: a live show on a real Janus, with its seats, its chat and the bot, in this terminal.

Everything is real but the people: Janus runs in a private network of this machine, four people publish the sample
show's sound over WebRTC, others write in the chat, and the bot, a process of its own, sits in the audience.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from bot.commands.janus_people import PeopleProcess, play_show
from bot.commands.janus_server import URL, JanusServer, ServedRoom, is_inside, missing, run_inside
from bot.store import open_database
from config.wording import say

FOLDER: Final = Path(__file__).parents[2] / "samples" / "sound" / "evening"
ROOM: Final = 1234
TITLE: Final = "The First Second, Briefly"
#: What is played of the sample show, in seconds of it: from some teaching to the end; in short some teaching, and the
#: last offer.
WHOLE: Final = ((60.0, 234.0),)
SHORT: Final = ((68.0, 119.2), (189.0, 226.0))
#: Longest wait for the bot to load its models and to say so in the chat; and for the last words, in seconds.
READY_SECONDS: Final = 90.0
LAST_SECONDS: Final = 20.0


def settings_text(database: Path) -> str:
    """Return the settings of the demo's bot. Nobody there exists, so nobody had to be told that they are heard."""
    return f"""
[store]
path = "{database}"
[speech]
waiting = 64
[[rooms]]
kind = "janus"
address = "{URL}#{ROOM}"
host = "@kingofreels"
[[rooms.watches]]
consent = true
"""


async def demo(database: Path, short: bool, as_json: bool, language: str) -> int:
    """Run everything; return 0 when the host was warned about, 1 when not."""
    with TemporaryDirectory() as folder:
        config = Path(folder) / "demo.toml"
        config.write_text(settings_text(database), encoding="utf-8")
        _tell(say(language, "demo.start"))
        async with JanusServer(Path(folder), [ServedRoom(ROOM, TITLE)]), PeopleProcess() as people:
            more = ["--json"] if as_json else []
            bot = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "run", "--config", str(config), *more
            )
            try:
                if await people.do("wait", "@usher", text="Pitchwatch", room=ROOM, seconds=READY_SECONDS) is None:
                    await play_show(people, FOLDER, ROOM, *(SHORT if short else WHOLE))
                    await _warned(database)
            finally:
                if bot.returncode is None:
                    bot.send_signal(signal.SIGTERM)
                await bot.wait()
    names = _names(database)
    _tell(say(language, "demo.end", names=", ".join(names) or "–", db=database))
    return 0 if "@kingofreels" in names else 1


async def _warned(database: Path) -> None:
    """Wait until the host was warned about and the warning was shown, but not for ever."""
    try:
        async with asyncio.timeout(LAST_SECONDS):
            while "@kingofreels" not in _names(database):  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.5)
    except TimeoutError:
        return
    await asyncio.sleep(3.0)  # for people to read it in its place


def _names(database: Path) -> list[str]:
    """Return who was warned about."""
    if not database.exists():
        return []
    opened = open_database(database)
    try:
        return [str(row["name"]) for row in opened.query("SELECT DISTINCT name FROM alerts ORDER BY raised")]
    finally:
        opened.close()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, in a private network of its own."""
    parser = argparse.ArgumentParser(prog="make demo-janus", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--short", action="store_true", help="only a minute of it and the warning")
    parser.add_argument("--json", action="store_true", help="JSON Lines instead of the live view")
    parser.add_argument("--db", type=Path, default=Path(".demo/janus.db"), metavar="F", help="database file")
    parser.add_argument("--language", choices=("en", "fr"), default="en", help="language of the words")
    given = parser.parse_args(arguments)
    why = missing()
    if why is not None:
        _tell(f"demo-janus: {why}")
        return 1
    if not is_inside():
        more: list[Any] = sys.argv[1:] if arguments is None else list(arguments)
        return run_inside([sys.executable, "-m", "bot.commands.janus_demo", *more])
    given.db.parent.mkdir(parents=True, exist_ok=True)
    for left in given.db.parent.glob(f"{given.db.name}*"):
        left.unlink()
    return asyncio.run(demo(given.db.resolve(), given.short, given.json, given.language))


if __name__ == "__main__":
    sys.exit(main())
