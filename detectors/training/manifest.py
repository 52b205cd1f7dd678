"""The manifest of a model folder: the sha256 of every file that the running bot loads."""

import hashlib
import json
from pathlib import Path

from detectors.classifier import FILES


def write_manifest(folder: Path) -> None:
    """Note the sums of the files that are there, so that a damaged one is noticed at start."""
    sums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES if (folder / name).exists()
    }
    (folder / "manifest.json").write_text(json.dumps({"sha256": sums}, indent=1) + "\n", encoding="utf-8")
