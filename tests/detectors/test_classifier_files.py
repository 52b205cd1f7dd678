"""A model folder that cannot be used says which file and what to do. No model is loaded here."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from detectors.classifier import Calibration, Classifier, ModelError, check_files
from detectors.taxonomy import LABELS

FILES = {
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "lower.onnx": b"weights",
    "upper.onnx": b"further weights",
    "gate.npz": b"more weights",
    "words.npz": b"others",
}


def sums(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "model", FILES)


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps({"sha256": sums(files)}), encoding="utf-8")
    return folder


def said(folder: Path) -> str:
    with pytest.raises(ModelError) as raised:
        check_files(folder)
    return str(raised.value)


def test_whole_files_are_accepted(folder: Path) -> None:
    check_files(folder)
    (folder / "README.md").write_text("the model card is nobody's weights")
    check_files(folder)


@pytest.mark.parametrize("missing", ["manifest.json", "."])
def test_a_missing_manifest(folder: Path, missing: str) -> None:
    if missing == ".":
        folder = folder.parent / "nowhere"
    else:
        (folder / missing).unlink()
    message = said(folder)
    assert message.startswith(f"{folder / 'manifest.json'}: cannot be read (")
    assert message.endswith("; install Pitchwatch again")
    assert "No such file" in message


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b"7", b"{}", b'{"sha256": null}', b'{"sha256": 7}', b'{"sha256": "abc"}'],
)
def test_a_manifest_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    message = said(folder)
    assert message.startswith(f"{folder / 'manifest.json'}: cannot be read (")
    assert message.endswith("; install Pitchwatch again")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert said(folder) == f"{folder / name}: cannot be read (No such file or directory); install Pitchwatch again"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"x", lambda c: b"", lambda c: c[:-1] + b"\x00"])
def test_a_damaged_file(folder: Path, name: str, change: object) -> None:
    assert callable(change)
    (folder / name).write_bytes(change(FILES[name]))
    assert said(folder) == (
        f"{folder / name}: is damaged (its sha256 is not the one in the manifest); install Pitchwatch again"
    )


def test_a_damaged_folder_is_never_loaded(folder: Path) -> None:
    (folder / "lower.onnx").write_bytes(b"other weights")
    with pytest.raises(ModelError, match=re.escape(f"{folder / 'lower.onnx'}: is damaged")):
        Classifier(folder)


@pytest.mark.parametrize("labels", [LABELS[1:], LABELS[::-1], (*LABELS, "cue:new")])
def test_a_model_with_other_labels_is_refused(tmp_path: Path, labels: tuple[str, ...]) -> None:
    config = json.dumps({"id2label": {str(n): label for n, label in enumerate(labels)}}).encode()
    folder = fill(tmp_path / "model", FILES | {"config.json": config})
    with pytest.raises(ModelError, match=re.escape(f"{folder / 'config.json'}: labels are not those of this version")):
        Classifier(folder)


def test_what_was_calibrated() -> None:
    mix = {"speech": {"en": [-1, 1, 0.5, 0.25], "fr": [-2, 1, 0.5, 0.25]}}
    assert Calibration.of({"temperature": {"chat": 2}, "mix": mix, "abstain": {"speech": [0.1, 0.6]}}) == Calibration(
        {"chat": 2.0},
        {("speech", "en"): (-1.0, 1.0, 0.5, 0.25), ("speech", "fr"): (-2.0, 1.0, 0.5, 0.25)},
        {"speech": (0.1, 0.6)},
    )
    assert Calibration.of({}) == Calibration({}, {}, {})


@pytest.mark.parametrize(
    "stored",
    [
        [],
        {"mix": {"speech": [-1.0, 1.0, 0.5, 0.25]}},
        {"mix": {"speech": {"en": [-1.0, 1.0, 0.5, 0.25]}}},
        {"mix": {"speech": {"en": [-1.0], "fr": [-1.0]}}},
        {"abstain": {"speech": 0.5}},
        {"abstain": {"speech": [0.5, "x"]}},
        {"temperature": {"speech": None}},
    ],
)
def test_a_calibration_that_is_none_is_refused(tmp_path: Path, stored: object) -> None:
    shipped = Path(__file__).parents[2] / "detectors" / "model"
    config = json.loads((shipped / "config.json").read_text(encoding="utf-8")) | {"calibration": stored}
    files = {name: (shipped / name).read_bytes() for name in ("tokenizer.json", "gate.npz", "words.npz")}
    folder = fill(tmp_path / "model", FILES | files | {"config.json": json.dumps(config).encode()})
    with pytest.raises(ModelError, match=re.escape(f"{folder}: cannot be read: ")):
        Classifier(folder)
