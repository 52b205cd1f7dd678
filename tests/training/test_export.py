"""What is exported is the network, cut in two, and can be read back. Needs the train extra (PyTorch)."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

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
    with torch.no_grad():  # biases, centre and spread as after training, not all the same
        for name, values in (*model.named_parameters(), *model.named_buffers()):
            if values.dtype == torch.float32:
                values.add_((0.2 if name.endswith("bias") else 0.02) * torch.randn_like(values))
    model.save_pretrained(checkpoint)
    (checkpoint / "tokenizer.json").write_text("{}")
    stored = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(stored | {"calibration": {"mix": {}}}))
    (out / "gate.npz").write_bytes(b"of another network")
    export(checkpoint, out)
    return checkpoint, out


@pytest.mark.parametrize(("tokens", "own"), [(1, 1), (12, 7), (192, 96)])
def test_the_parts_give_what_the_whole_gives_and_it_can_be_read_back(
    folders: tuple[Path, Path], tokens: int, own: int
) -> None:
    _, out = folders
    ids = np.random.default_rng(6).integers(3, 900, (1, tokens))
    types = (np.arange(tokens) < own).astype(np.int64)[None]
    hidden, early = load_network(out / LOWER).run(["hidden", "early"], {"input_ids": ids, "token_type_ids": types})
    (logits,) = load_network(out / UPPER).run(["logits"], {"hidden": hidden, "token_type_ids": types})
    model = read_back(out).eval()
    given = [torch.tensor(part) for part in (ids, np.ones_like(ids), types)]
    with torch.inference_mode():
        whole = model(*given).logits.numpy()
        layers = model.bert(*given[:2], token_type_ids=given[2], output_hidden_states=True).hidden_states
    # Weights are the same; what a token holds is rounded anew in each layer, to 1/127 of its largest number.
    assert np.abs(hidden - layers[4].numpy()).max() < 0.06 and np.abs(hidden - layers[4].numpy()).mean() < 0.01
    assert np.abs(early - own_mean(layers[4], given[1], given[2]).numpy()).max() < 0.06
    assert np.abs(logits - whole).max() < 0.1 * np.abs(whole).max()


def test_what_is_read_back_is_the_checkpoint_but_for_half_a_step(folders: tuple[Path, Path]) -> None:
    checkpoint, out = folders
    before, after = PitchModel.from_pretrained(checkpoint).state_dict(), read_back(out).state_dict()
    assert before.keys() == after.keys()
    for name, value in before.items():
        large = value.ndim == 2 and "token_type" not in name and not name.startswith("classifier")
        allowed = value.abs().max() / 127 * 0.501 if large else 0.0
        assert (value - after[name]).abs().max() <= allowed, name


def test_what_belongs_to_another_model_is_not_taken_along(folders: tuple[Path, Path]) -> None:
    _, out = folders
    assert not (out / "gate.npz").exists()
    assert "calibration" not in json.loads((out / "config.json").read_text())


@pytest.mark.parametrize(
    ("setting", "said"), [({"hidden_act": "relu"}, "gelu"), ({"num_hidden_layers": 3}, "4 layers")]
)
def test_a_network_that_the_graph_cannot_express_is_refused(
    setting: dict[str, str | int], said: str, tmp_path: Path
) -> None:
    small = {"vocab_size": 90, "hidden_size": 12, "num_attention_heads": 2, "intermediate_size": 12}
    PitchModel(BertConfig(**small, num_hidden_layers=4)).save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(stored | setting))
    with pytest.raises(ValueError, match=said):
        export(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("damage", ["no graph", "no size", "shape"])
def test_a_graph_that_export_did_not_write_is_refused(damage: str, folders: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(folders[1], tmp_path / "model")
    path = tmp_path / "model" / UPPER
    graph = onnx.load(str(path))
    if damage == "no size":
        kept = [one for one in graph.graph.initializer if not one.name.endswith("5.output.dense.weight_size")]
        del graph.graph.initializer[:]
        graph.graph.initializer.extend(kept)
    for one in graph.graph.initializer:
        if damage == "shape" and one.name == "centre":
            one.CopyFrom(numpy_helper.from_array(np.zeros(7, np.float32), "centre"))
    path.write_bytes(b"\xff\xff no graph" if damage == "no graph" else graph.SerializeToString())
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "model"))):
        read_back(tmp_path / "model")
