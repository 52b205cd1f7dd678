"""The command line: `pitchwatch COMMAND`. Results go to standard output, progress and logs to standard error."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from config.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from bot.faces import Face
    from bot.speech.hearing import Hearing
    from config.settings import RoomSettings
    from detectors.classifier import Classifier

#: Exit codes: it ran and something failed; wrong use or configuration.
FAILED = 1
WRONG_USE = 2


class _Parser(argparse.ArgumentParser):
    """Reports wrong use in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # whatever the locale: hostile names must not end the program
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        settings = load_settings(given.config)
        return int(given.run(given, settings))
    except SettingsError as error:
        return _fail(str(error), WRONG_USE)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be said to them, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="pitchwatch", description="Notices when teaching turns into selling, and shows the quotes.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Any, text: str, stored: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--config", type=Path, metavar="F", help="settings file (default: pitchwatch.toml, if there)"
        )
        command.add_argument("--json", action="store_true", help="JSON Lines instead of words for people")
        if stored:
            command.add_argument("--db", type=Path, metavar="F", help="database file (default: from the settings)")
        command.set_defaults(run=run)
        return command

    add("run", _run, "Run the service: watch the configured rooms, store, warn.", stored=True)
    replay = add("replay", _replay, "Play show scripts and print the warnings.", stored=True)
    _replay_arguments(replay)
    transcribe = add("transcribe", _transcribe, "Write down what is said in a file or stream.")
    transcribe.add_argument("media", metavar="MEDIA", help="file or URL: anything FFmpeg opens")
    transcribe.add_argument(
        "--lang", choices=("en", "fr"), help="the language spoken (default: heard for each segment)"
    )
    listen = add("listen", _listen, "Listen to a file or stream: transcript and warnings, live.", stored=True)
    listen.add_argument("media", metavar="MEDIA", help="file or URL: anything FFmpeg opens")
    listen.add_argument("--host", metavar="@h", help="who speaks there (default: @speaker)")
    listen.add_argument("--lang", choices=("en", "fr"), help="the language spoken (default: heard for each segment)")
    listen.add_argument(
        "--speed", type=_speed, metavar="N", help="a file N times faster than life (default: as fast as it can)"
    )
    add("classify", _classify, "Read JSON Lines from standard input and say what each line does.")
    check = add("check", _check, "Show the report card of an account.", stored=True)
    check.add_argument("handle", metavar="HANDLE", help="@name, platform:name or a full account id")
    digest = add("digest", _digest, "Show the ranking of repeat offers.", stored=True)
    digest.add_argument("--since", default="7d", metavar="T", help="how far back: 12h, 7d, 4w (default: 7d)")
    digest.add_argument("--png", type=Path, metavar="F", help="write a picture of the ranking")
    digest.add_argument("--csv", type=Path, metavar="F", help="write the ranking as a table")
    add("doctor", _doctor, "Check settings, models and database, and say what to do.", stored=True)
    bench = add("bench", _bench, "Measure the speed of reading, or of hearing, on this machine.")
    bench.add_argument("--speech", action="store_true", help="measure hearing (about 4 minutes)")
    bench.add_argument(
        "--janus",
        action="store_true",
        help="with --speech: live four-seat shows on a real Janus (6 minutes)",
    )
    bench.add_argument("--sound", type=Path, metavar="F", help="speech to measure with (default: a sample show)")
    return parser


def _replay_arguments(replay: argparse.ArgumentParser) -> None:
    replay.add_argument("files", nargs="+", type=Path, metavar="FILE", help="show script (JSON Lines)")
    replay.add_argument(
        "--speed", type=_speed, metavar="N", help="N times faster than life (default: as fast as it can)"
    )
    replay.add_argument(
        "--against", type=Path, metavar="F", help="other settings: print what their warnings differ in from --config"
    )


def _speed(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 100_000:
        raise argparse.ArgumentTypeError("must be above 0 and at most 100000")
    return value


def _fail(message: str, code: int) -> int:
    print(f"pitchwatch: {message}", file=sys.stderr)
    return code


def _face(given: argparse.Namespace, settings: Settings, live: bool) -> "Face":
    from rich.console import Console

    from bot.faces import JsonFace, PeopleFace

    if given.json:
        return JsonFace(sys.stdout, settings.language)
    console = Console(highlight=False, emoji=False, markup=False)
    return PeopleFace(console, settings.language, live and console.is_terminal)


def _reader(settings: Settings) -> "Classifier":
    from detectors.classifier import SHIPPED_MODEL, Classifier

    return Classifier(settings.models.folder or SHIPPED_MODEL, settings.models.threads)


def _hearing(settings: Settings) -> "Hearing":
    from bot.commands.preparing import Preparing
    from bot.speech.hearing import Hearing

    return Hearing(settings.speech, Preparing())


def _run(given: argparse.Namespace, settings: Settings) -> int:
    from bot.app import serve
    from bot.client import DiscordError
    from bot.rooms import RoomError
    from bot.store import StoreError
    from detectors.classifier import ModelError

    if not settings.rooms and settings.discord.token is None:  # with Discord, communities add rooms themselves
        return _fail("no room is configured: add [[rooms]] to the settings file (see `pitchwatch doctor`)", WRONG_USE)
    if given.db:
        settings = settings.model_copy(update={"store": settings.store.model_copy(update={"path": given.db})})
    try:
        return asyncio.run(serve(settings, _reader(settings), _hearing(settings), _face(given, settings, live=True)))
    except (RoomError, DiscordError) as error:
        return _fail(str(error), WRONG_USE)
    except (ModelError, StoreError) as error:
        return _fail(str(error), FAILED)


def _replay(given: argparse.Namespace, settings: Settings) -> int:
    rooms = [_room("replay", str(file), speed=given.speed) for file in given.files]
    if given.against is not None:
        return _compare(given, settings, rooms)
    return _play(given, settings, rooms, _face(given, settings, live=True))


def _compare(given: argparse.Namespace, settings: Settings, rooms: "Sequence[RoomSettings]") -> int:
    from bot.app import play
    from bot.commands.difference import Remembering, compare
    from bot.rooms import RoomError
    from bot.rooms.registry import check_address
    from bot.store import StoreError
    from detectors.classifier import ModelError

    other = load_settings(given.against)
    try:
        for room in rooms:
            check_address(room)
        readers = [Remembering(_reader(one)) for one in (settings, other)]
        if settings.models == other.models:
            readers[1] = readers[0]  # the same models read the same; once is enough
        hearings = (_hearing(settings), _hearing(other))
        return asyncio.run(compare(play, (settings, other), (readers[0], readers[1]), hearings, rooms, given.json))
    except RoomError as error:
        return _fail(str(error), WRONG_USE)
    except (ModelError, StoreError) as error:
        return _fail(str(error), FAILED)


def _listen(given: argparse.Namespace, settings: Settings) -> int:
    from bot.faces import transcript_face

    room = _room("media", given.media, host=given.host, lang=given.lang, speed=given.speed)
    return _play(given, settings, [room], transcript_face(_face(given, settings, live=False)))


def _room(kind: str, address: str, **more: Any) -> "RoomSettings":
    from config.settings import RoomSettings

    # Whoever names a file or stream on the command line listens to it alone.
    return RoomSettings.model_validate({"kind": kind, "address": address, "watches": [{"consent": True}], **more})


def _play(given: argparse.Namespace, settings: Settings, rooms: "Sequence[RoomSettings]", face: "Face") -> int:
    from bot.app import play
    from bot.rooms import RoomError, RoomLostError
    from bot.rooms.registry import check_address
    from bot.store import StoreError
    from detectors.classifier import ModelError

    try:
        for room in rooms:
            check_address(room)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves as Ctrl-C does, with the terminal whole
        return asyncio.run(play(settings, _reader(settings), _hearing(settings), face, rooms, given.db))
    except RoomError as error:
        return _fail(str(error), WRONG_USE)
    except (ModelError, StoreError, RoomLostError) as error:
        return _fail(str(error), FAILED)


def _transcribe(given: argparse.Namespace, settings: Settings) -> int:
    from bot.commands.transcribe import transcribe
    from bot.rooms import RoomError
    from bot.rooms.media import check_media
    from bot.speech import SpeechError

    try:
        check_media(given.media)
    except RoomError as error:
        return _fail(str(error), WRONG_USE)
    try:
        return asyncio.run(transcribe(_hearing(settings), given.media, given.lang, given.json))
    except SpeechError as error:
        return _fail(str(error), FAILED)


def _classify(given: argparse.Namespace, settings: Settings) -> int:
    from bot.commands.classify import classify
    from detectors.classifier import ModelError

    try:
        return classify(_reader(settings), sys.stdin.buffer, sys.stdout, given.json)
    except ModelError as error:
        return _fail(str(error), FAILED)


def _check(given: argparse.Namespace, settings: Settings) -> int:
    from bot.commands.reports import check

    return check(given.db or settings.store.path, given.handle, given.json, settings)


def _digest(given: argparse.Namespace, settings: Settings) -> int:
    from bot.commands.reports import digest

    return digest(given.db or settings.store.path, given.since, given.json, given.png, given.csv, settings)


def _doctor(given: argparse.Namespace, settings: Settings) -> int:
    from bot.commands.doctor import doctor

    return doctor(settings, given.db or settings.store.path, given.json)


def _bench(given: argparse.Namespace, settings: Settings) -> int:
    from bot.commands.bench import bench
    from bot.commands.bench_speech import bench_speech
    from bot.speech import SpeechError
    from detectors.classifier import ModelError

    if given.janus and not given.speech:
        return _fail("bench --janus: goes with --speech", WRONG_USE)
    try:
        if given.janus:
            from bot.commands.bench_janus import bench_janus

            return bench_janus(settings, _reader(settings), given.json, sys.argv[1:])
        if given.speech:
            return bench_speech(settings.speech, given.sound, given.json)
        return bench(_reader(settings), given.json)
    except (ModelError, SpeechError) as error:
        return _fail(str(error), FAILED)


if __name__ == "__main__":
    sys.exit(main())
