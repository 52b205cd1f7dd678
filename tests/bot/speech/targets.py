"""Stand-ins for a worker process, told by the sound what to do: the first sample is the order, the second a number."""

import os
import time
from multiprocessing.connection import Connection

import numpy as np

from bot.speech.transcriber import Heard
from bot.speech.worker import BROKEN, READY, Job, WorkerSettings

ANSWER, DIE, HANG, FAIL, SLOW = 1.0, 2.0, 3.0, 4.0, 5.0


def order(what: float, number: float = 0.0, seconds: float = 0.01) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """A segment that orders something."""
    samples = np.zeros(max(2, round(seconds * 16_000)), np.float32)
    samples[:2] = what, number
    return samples


def obedient(connection: Connection, settings: WorkerSettings) -> None:
    """Answers with the number, the prior and the language it was given, or does what it is told."""
    connection.send((READY, ""))
    while True:
        try:
            job: Job = connection.recv()
        except EOFError:
            return
        what, number = np.frombuffer(job.samples, np.float32)[:2]
        if what == DIE:
            os._exit(3)
        if what == HANG:
            time.sleep(600)
        if what == SLOW:
            time.sleep(0.2)
        if what == FAIL:
            connection.send("ValueError: no such sound")
            continue
        connection.send(Heard(f"{number:g}", job.lang or "en", 1.0, "", dict(job.prior)))


def broken(connection: Connection, settings: WorkerSettings) -> None:
    """Cannot load its model."""
    connection.send((BROKEN, f"speech model {settings.model}: cannot be loaded"))


def stillborn(connection: Connection, settings: WorkerSettings) -> None:
    """Dies while loading."""
    os._exit(1)


def telling(connection: Connection, settings: WorkerSettings) -> None:
    """Answers every segment with its length, as if somebody had said it."""
    connection.send((READY, ""))
    while True:
        try:
            job: Job = connection.recv()
        except EOFError:
            return
        lang = "fr" if job.prior.get("fr", 0.0) > job.prior.get("en", 0.0) else "en"
        connection.send(Heard(f"{len(job.samples) // 4} samples", job.lang or lang, 1.0, "", {"en": 0.5, "fr": 0.5}))
