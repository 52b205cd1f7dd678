"""A worker process: loads the recogniser, then answers one segment at a time over a pipe, until the pipe closes.

A process and not a thread, since only a process that hangs can be ended. Messages are plain tuples.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

#: First message of a worker that is ready, and of one that cannot be.
READY = "ready"
BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker loads: `model` is a folder or a name, `threads` how many it computes with."""

    model: str
    threads: int
    languages: tuple[str, ...]
    beam: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """One segment to hear: 32-bit samples as bytes, what its speaker spoke before, or the language if it is known."""

    samples: bytes
    prior: Mapping[str, float]
    lang: str | None


def serve(connection: Connection, settings: WorkerSettings) -> None:
    """Be a worker. Answers each `Job` with a `Heard`, or with the text of an error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it closes the pipe
    from bot.speech import SpeechError
    from bot.speech.transcriber import Transcriber

    try:
        transcriber = Transcriber(_named(settings.model), settings.threads, settings.languages, settings.beam)
    except SpeechError as error:
        connection.send((BROKEN, str(error)))
        return
    connection.send((READY, ""))
    while True:
        try:
            job: Job = connection.recv()
        except EOFError:
            return
        connection.send(_answer(transcriber, job))


def _answer(transcriber: Any, job: Job) -> Any:
    try:
        return transcriber.transcribe(np.frombuffer(job.samples, np.float32), job.prior, job.lang)
    except Exception as error:  # whatever it was, the next segment may go well
        return f"{type(error).__name__}: {error}"


def _named(model: str) -> str | Path:
    return Path(model) if Path(model).is_dir() else model
