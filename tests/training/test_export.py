"""What is exported is the network, cut in two, and can be read back. Needs the train extra (PyTorch)."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("transformers")

import torch
from transformers import BertConfig

from detectors.classifier import LOWER, UPPER, load_network
from detectors.taxonomy import LABELS
from detectors.training.export import export
from detectors.training.model import PitchModel, own_mean
from detectors.training.read_back import read_back


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint with random weights that tells of a calibration, and what is exported of it."""
    torch.manual_seed(4)
    config = BertConfig(
        vocab_size=900, hidden_size=384, num_hidden_layers=6, num_attention_heads=6, intermediate_size=384
    )
    config.id2label = dict(enumerate(LABELS))
    checkpoint, out = tmp_path_factory.mktemp("checkpoint"), tmp_path_factory.mktemp("model")
    model = PitchModel(config)
    with torch.no_grad():  # no two alike, as after training: the exporter keeps only one of equal ones
        for values in (*model.parameters(), model.centre, model.spread):
            values.add_(0.02 * torch.randn_like(values))
    model.save_pretrained(checkpoint)
    (checkpoint / "tokenizer.json").write_text("{}")
    stored = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(stored | {"calibration": {"mix": {}}}))
    (out / "gate.npz").write_bytes(b"of another network")
    export(checkpoint, out)
    return checkpoint, out


def test_the_parts_give_what_the_whole_gives_and_it_can_be_read_back(folders: tuple[Path, Path]) -> None:
    _, out = folders
    dice = np.random.default_rng(6)
    ids = dice.integers(3, 900, (2, 12))
    mask = np.ones_like(ids)
    mask[1, 9:] = 0
    types = mask * (np.arange(12) < 7)
    rest = {"attention_mask": mask, "token_type_ids": types}
    hidden, early = load_network(out / LOWER).run(["hidden", "early"], {"input_ids": ids, **rest})
    (logits,) = load_network(out / UPPER).run(["logits"], {"hidden": hidden, **rest})
    model = read_back(out).eval()
    given = [torch.tensor(part) for part in (ids, mask, types)]
    with torch.inference_mode():
        whole = model(*given).logits.numpy()
        layers = model.bert(*given[:2], token_type_ids=given[2], output_hidden_states=True).hidden_states
    assert np.abs(logits - whole).max() < 1e-4
    assert np.abs(early - own_mean(layers[4], given[1], given[2]).numpy()).max() < 1e-4


def test_what_belongs_to_another_model_is_not_taken_along(folders: tuple[Path, Path]) -> None:
    _, out = folders
    assert not (out / "gate.npz").exists()
    assert "calibration" not in json.loads((out / "config.json").read_text())
