"""The model is joined once, whoever starts first, and a damaged one is made anew or named."""

import hashlib
import threading
from pathlib import Path

import pytest

from bot.speech import SpeechError, model_files
from bot.speech.model_files import shipped_model


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of its own with the joined model."""
    cache = tmp_path_factory.mktemp("cache")
    shipped_model(cache)
    return cache


def test_two_starts_at_once_join_it_once(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    folders: list[Path] = []
    starts = [
        threading.Thread(target=lambda: folders.append(shipped_model(tmp_path, lambda *p: told.append(p))))
        for _ in range(2)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(folders) == 2 and folders[0] == folders[1]
    assert [done for done, of in told if done == of] == [told[-1][1]]
    assert sorted(p.name for p in folders[0].iterdir()) == [
        "config.json",
        "model.bin",
        "tokenizer.json",
        "vocabulary.txt",
    ]
    assert hashlib.sha256((folders[0] / "model.bin").read_bytes()).hexdigest() == model_files.SHA256


def test_a_whole_one_is_left_alone(joined: Path) -> None:
    told: list[int] = []
    before = (shipped_model(joined) / "model.bin").stat().st_mtime_ns
    assert (shipped_model(joined, lambda done, of: told.append(done)) / "model.bin").stat().st_mtime_ns == before
    assert told == []


def test_a_damaged_one_is_made_anew(joined: Path) -> None:
    model = shipped_model(joined) / "model.bin"
    with model.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"damage")
    shipped_model(joined)
    assert hashlib.sha256(model.read_bytes()).hexdigest() == model_files.SHA256


def test_halves_that_are_not_there_or_damaged_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "_HALVES", (("no_such_package", "a"), ("no_such_package", "b")))
    with pytest.raises(SpeechError, match="pip install no-such-package"):
        shipped_model(tmp_path)
    monkeypatch.undo()
    first = model_files._HALVES[0]
    monkeypatch.setattr(model_files, "_HALVES", (first, first))
    with pytest.raises(SpeechError, match="damaged"):
        shipped_model(tmp_path)
    assert list(tmp_path.rglob("model.bin")) == [] and list(tmp_path.rglob("*.part")) == []
