"""`pitchwatch doctor`: is everything in order, and if not, what to do."""

import asyncio
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from rich.console import Console
from rich.text import Text

from bot.client import examine as examine_discord
from bot.migrations import newest
from bot.outbox import read_blocked
from bot.reasons import not_shown
from bot.rooms import RoomError
from bot.rooms.registry import check_address
from bot.sinks.console import write_line
from bot.speech import RATE, SpeechError
from bot.speech.model_files import shipped_model
from bot.speech.transcriber import Transcriber
from bot.store import StoreError, open_database
from config.settings import Settings
from config.wording import say
from detectors.classifier import SHIPPED_MODEL, Classifier, ModelError, Request


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at: whether it is in order, and what to say about it."""

    check: str
    ok: bool
    say: str


def doctor(settings: Settings, database: Path, as_json: bool) -> int:
    """Print every diagnosis; exit code 1 if something is not in order."""
    console = Console(highlight=False, markup=False, emoji=False)
    healthy = True
    for found in examine(settings, database):
        healthy = healthy and found.ok
        if as_json:
            write_line(sys.stdout, {"check": found.check, "ok": found.ok, "say": found.say})
        else:
            mark = Text("ok  ", "green") if found.ok else Text("!!  ", "bold red")
            console.print(Text.assemble(mark, (f"{found.check:10}", "bold"), found.say))
    return 0 if healthy else 1


def examine(settings: Settings, database: Path) -> Iterator[Diagnosis]:
    """Yield what was found, one thing after the other."""
    language = settings.language
    yield Diagnosis("settings", True, say(language, "doctor.settings_ok"))
    yield _model(settings)
    yield _speech(settings)
    yield _database(database, settings)
    yield from _rooms(settings)
    yield Diagnosis("ports", True, say(language, "doctor.ports_ok"))
    yield from _discord(settings, database)


def _discord(settings: Settings, path: Path) -> Iterator[Diagnosis]:
    """Look at Discord itself, and at the channels in which warnings could not be shown."""
    language = settings.language
    if settings.discord.token is None:
        yield Diagnosis("discord", True, say(language, "doctor.discord_off"))
    else:
        for found in asyncio.run(examine_discord(settings)):
            yield Diagnosis("discord", found.ok, say(language, found.message.key, **found.message.params))
    if not path.exists():
        return
    try:
        database = open_database(path, settings.store.busy_seconds)
    except StoreError:
        return  # told above
    for channel, waiting, why in read_blocked(database):
        told = not_shown(why, language)
        text = say(language, "doctor.discord_blocked", channel=channel, count=waiting, why=told)
        yield Diagnosis("discord", False, text)
    database.close()


def _model(settings: Settings) -> Diagnosis:
    began = time.monotonic()
    try:
        classifier = Classifier(settings.models.folder or SHIPPED_MODEL, settings.models.threads)
        seconds = time.monotonic() - began
        classifier.read(
            [Request("Hello everyone, good evening", "speech"), Request("Bonsoir à toutes et à tous", "speech")]
        )
    except ModelError as error:
        return Diagnosis("models", False, say(settings.language, "doctor.model_bad", why=error))
    return Diagnosis("models", True, say(settings.language, "doctor.model_ok", seconds=f"{seconds:.1f}"))


def _speech(settings: Settings) -> Diagnosis:
    speech = settings.speech
    began = time.monotonic()
    try:
        transcriber = Transcriber(speech.model or shipped_model(), speech.threads, speech.languages, speech.beam)
        seconds = time.monotonic() - began
        transcriber.transcribe(np.zeros(RATE, np.float32))
    except SpeechError as error:
        return Diagnosis("speech", False, say(settings.language, "doctor.speech_bad", why=error))
    return Diagnosis("speech", True, say(settings.language, "doctor.speech_ok", seconds=f"{seconds:.1f}"))


def _database(path: Path, settings: Settings) -> Diagnosis:
    try:
        if path.exists():
            database = open_database(path, settings.store.busy_seconds)
            with database.atomic():
                database.execute("CREATE TABLE doctor_was_here (x)")
                database.execute("DROP TABLE doctor_was_here")
            database.close()
        else:
            with TemporaryFile(dir=path.parent):
                pass  # a database could be made here
    except (StoreError, sqlite3.Error, OSError) as error:
        return Diagnosis("database", False, say(settings.language, "doctor.database_bad", why=error))
    return Diagnosis("database", True, say(settings.language, "doctor.database_ok", path=path, schema=newest()))


def _rooms(settings: Settings) -> Iterator[Diagnosis]:
    if not settings.rooms:
        yield Diagnosis("rooms", True, say(settings.language, "doctor.rooms_none"))
        return
    broken = False
    for room in settings.rooms:
        try:
            check_address(room)
        except RoomError as error:
            broken = True
            yield Diagnosis("rooms", False, say(settings.language, "doctor.room_bad", room=room.kind, why=error))
    if not broken:
        yield Diagnosis("rooms", True, say(settings.language, "doctor.rooms_ok", count=len(settings.rooms)))
