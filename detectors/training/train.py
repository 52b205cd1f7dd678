"""Tune the encoder on the training data: `python -m detectors.training.train --out DIR`.

Writes a `transformers` checkpoint (PyTorch). `export` turns it into what ships.
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch.optim.lr_scheduler import LambdaLR

from detectors.encoding import PAD_ID, EncodedLine, encode
from detectors.taxonomy import ACTS, CUES, LABELS, OFFERS
from detectors.training.augment import flatten, resegment
from detectors.training.base_model import load_base
from detectors.training.model import PitchModel, distillation_loss, loss
from detectors.training.passages import Example, LabelledLine, examples, read_lines, training_files
from detectors.training.read_back import read_back

#: Progress is told this often, in seconds.
TELL_SECONDS = 60.0


@dataclass(frozen=True)
class Recipe:
    """What can be turned. Rates are Adam's; `epochs` counts passes over all lines."""

    layers: int = 12
    #: Lowest layers that stay as they are: they know words, not selling, and it saves a third of the time.
    frozen: int = 6
    epochs: int = 2
    batch: int = 16
    encoder_rate: float = 5e-5
    head_rate: float = 5e-4
    warm_up: float = 0.1
    #: Few passes over few lines: little needs to be kept from being learnt by heart.
    dropout: float = 0.05
    decay: float = 0.01
    #: Share of lines shown without any context, without punctuation and case, and cut anew with what follows them.
    no_context: float = 0.3
    flatten: float = 0.3
    join: float = 0.35
    #: Share of the lines that only teach or talk, with nothing offered, that each epoch draws. Those that sell, and
    #: their look-alikes, are all seen; calibration makes up for their share.
    plain: float = 1.0
    seed: int = 11


@dataclass(frozen=True, slots=True)
class Item:
    """One training line as the network takes it."""

    encoded: EncodedLine
    act: int
    flags: tuple[float, ...]


def main() -> None:
    """Train by the command line's recipe and save the checkpoint."""
    recipe = Recipe()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the PyTorch checkpoint")
    parser.add_argument("--layers", type=int, default=recipe.layers, choices=(4, 6, 12), help="encoder layers kept")
    parser.add_argument("--epochs", type=int, default=recipe.epochs)
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument("--plain", type=float, default=recipe.plain, help="share of the plain lines that is drawn")
    parser.add_argument("--first", nargs="*", default=[""], metavar="PREFIX", help="passages so named are all drawn …")
    parser.add_argument("--rest", type=float, default=1.0, help="… and this share of the lines of all others")
    parser.add_argument("--go-on", type=Path, metavar="DIR", help="begin with a shipped model or a checkpoint")
    given = parser.parse_args()
    recipe = Recipe(layers=given.layers, epochs=given.epochs, seed=given.seed, plain=given.plain)
    data = list(examples(read_lines(training_files())))
    dice = random.Random(given.seed)
    drawn = [one for one in data if one.line.passage.startswith(tuple(given.first)) or dice.random() < given.rest]
    train(recipe, drawn, given.out, given.go_on)


def train(recipe: Recipe, data: Sequence[Example], out: Path, go_on: Path | None = None) -> None:
    """Tune the base encoder, or the model of the folder `go_on`, on `data`; save model and tokenizer under `out`."""
    if go_on is not None:
        model, tokenizer = load(go_on)
    else:
        model, tokenizer = fresh(recipe, data)
    tune(model, tokenizer, recipe, data)
    model.save_pretrained(out)
    tokenizer.save(str(out / "tokenizer.json"))


def load(folder: Path) -> tuple[PitchModel, Tokenizer]:
    """Return the network and tokenizer of a checkpoint, or of a model folder that `export` wrote."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    whole = (folder / "model.safetensors").exists()
    return PitchModel.from_pretrained(folder) if whole else read_back(folder), tokenizer


def fresh(recipe: Recipe, data: Sequence[Example]) -> tuple[PitchModel, Tokenizer]:
    """Return the base encoder with a last layer fitted on `data`."""
    torch.manual_seed(recipe.seed)
    dice = random.Random(recipe.seed)
    base = load_base(recipe.layers)
    base.config.hidden_dropout_prob = base.config.attention_probs_dropout_prob = recipe.dropout
    model = new_model(base.config, base.weights)
    fit_head(model, [_item(base.tokenizer, data, i, recipe, dice) for i in range(len(data))])
    return model, base.tokenizer


def tune(
    model: PitchModel,
    tokenizer: Tokenizer,
    recipe: Recipe,
    data: Sequence[Example],
    teacher: PitchModel | None = None,
) -> None:
    """Tune `model` in place on `data`; with a `teacher`, half by what that says of the same lines."""
    torch.manual_seed(recipe.seed)
    dice = random.Random(recipe.seed)
    plain = sum(_is_plain(one.line) for one in data)
    expected = len(data) - round((1.0 - recipe.plain) * plain)
    steps = recipe.epochs * (expected // recipe.batch + 1)
    optimizer, schedule = _optimizer(model, recipe, steps)
    began = time.monotonic()
    for epoch in range(recipe.epochs):
        drawn = [i for i, one in enumerate(data) if not _is_plain(one.line) or dice.random() < recipe.plain]
        items = [_item(tokenizer, data, i, recipe, dice) for i in drawn]
        total, done, told = 0.0, 0, time.monotonic()
        model.train()
        for batch in _batches(items, recipe.batch, dice):
            ids, mask, types = pad([item.encoded for item in batch])
            with half_precision():
                features = model.features(ids, mask, types)
            logits = model.head(features.float())
            value = loss(logits, torch.tensor([i.act for i in batch]), torch.tensor([i.flags for i in batch]))
            if teacher is not None:
                value = 0.5 * value + 0.5 * distillation_loss(logits, told_by(teacher, ids, mask, types))
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            total += value.item() * len(batch)
            done += len(batch)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                print(f"epoch {epoch + 1}: {done} of {len(items)} lines, loss {total / done:.3f}", flush=True)
        print(f"epoch {epoch + 1}: loss {total / len(items):.3f}, {time.monotonic() - began:.0f} s", flush=True)


def told_by(teacher: PitchModel, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
    """Return the teacher's logits, shape (lines, labels)."""
    with torch.inference_mode(), half_precision():
        features = teacher.features(ids, mask, types)
    return teacher.head(features.float().clone()).detach()


def half_precision() -> torch.autocast:
    """Compute in bfloat16 with 32-bit weights where the processor knows it: twice as fast there, and same result.

    Elsewhere it would be emulated, forty times slower.
    """
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported())


def new_model(config: object, weights: dict[str, torch.Tensor]) -> PitchModel:
    """Return the network with the base encoder's weights and a fresh head, its labels named in the config."""
    model = PitchModel(config)
    model.config.id2label = dict(enumerate(LABELS))
    model.config.label2id = {label: i for i, label in enumerate(LABELS)}
    model.config.problem_type = "multi_label_classification"
    missing = model.bert.load_state_dict(weights, strict=False).missing_keys
    if missing:
        raise ValueError(f"the base encoder lacks {', '.join(missing)}")
    return model


def fit_head(model: PitchModel, items: Sequence[Item], decay: float = 1e-3, rounds: int = 300) -> None:
    """Fit the last layer alone on the untouched encoder's features, standardised.

    The encoder's vectors lie close together, and a fresh layer needs thousands of steps to tell them apart, during
    which it pulls the encoder away from what it knows (Kumar et al., 2022, "Fine-Tuning can Distort Pretrained
    Features").
    """
    features = pooled(model, items)
    centre, spread = features.mean(0), features.std(0) + 1e-6
    inputs = (features - centre) / spread
    acts = torch.tensor([item.act for item in items])
    flags = torch.tensor([item.flags for item in items])
    head = torch.nn.Linear(features.shape[1], model.classifier.out_features)
    torch.nn.init.zeros_(head.weight)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.02, weight_decay=0.0)
    for _ in range(rounds):
        value = loss(head(inputs), acts, flags) + decay * (head.weight**2).sum()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    print(f"head alone: loss {value.item():.3f}", flush=True)
    model.centre.copy_(centre)
    model.spread.copy_(spread)
    model.classifier.load_state_dict(head.state_dict())


def pooled(model: PitchModel, items: Sequence[Item], size: int = 64) -> torch.Tensor:
    """Return the encoder's mean over each line's own tokens, shape (lines, width), in the order of `items`."""
    model.eval()
    order = sorted(range(len(items)), key=lambda i: len(items[i].encoded.ids))
    features = torch.empty(len(items), model.config.hidden_size)
    with torch.inference_mode(), half_precision():
        for start in range(0, len(order), size):
            part = order[start : start + size]
            features[part] = model.features(*pad([items[i].encoded for i in part])).float()
    return features.clone()


def _optimizer(model: PitchModel, recipe: Recipe, steps: int) -> tuple[torch.optim.Optimizer, LambdaLR]:
    # Word embeddings stay as they are: few thousand lines move only the words they hold, away from all others.
    model.bert.embeddings.word_embeddings.weight.requires_grad_(False)
    for layer in model.bert.encoder.layer[: recipe.frozen]:
        layer.requires_grad_(False)
    encoder = [p for p in model.bert.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": encoder, "lr": recipe.encoder_rate},
            {"params": model.classifier.parameters(), "lr": recipe.head_rate},
        ],
        weight_decay=recipe.decay,
    )
    warm = max(1, int(recipe.warm_up * steps))
    return optimizer, LambdaLR(optimizer, lambda s: min((s + 1) / warm, max(0.0, (steps - s) / (steps - warm))))


def _item(tokenizer: Tokenizer, data: Sequence[Example], index: int, recipe: Recipe, dice: random.Random) -> Item:
    line = data[index].line
    text, act, offers, cues = line.text, line.act, frozenset(line.offers), frozenset(line.cues)
    if line.kind == "speech" and dice.random() < recipe.join:
        text, act, offers, cues = resegment([line, *_following(data, index, dice.randint(1, 2))], dice)
    context = () if dice.random() < recipe.no_context else data[index].context
    if line.kind == "speech" and dice.random() < recipe.flatten:
        text = flatten(text)
        context = tuple(flatten(earlier) for earlier in context)
    flags = tuple(float(name in offers) for name in OFFERS) + tuple(float(name in cues) for name in CUES)
    return Item(encode(tokenizer, text, line.kind, context), ACTS.index(act), flags)


def _is_plain(line: LabelledLine) -> bool:
    return line.act in ("teach", "other") and not line.offers


def _following(data: Sequence[Example], index: int, count: int) -> list[LabelledLine]:
    """Return up to `count` lines that the same speaker says next, with nobody else speaking between."""
    line = data[index].line
    following: list[LabelledLine] = []
    for example in data[index + 1 :]:
        after = example.line
        if len(following) == count or after.passage != line.passage:
            break
        if after.kind != "speech":
            continue
        if after.who != line.who:
            break
        following.append(after)
    return following


def _batches(items: list[Item], size: int, dice: random.Random) -> Iterator[list[Item]]:
    """Shuffle, then sort by length within large chunks: little padding, still random."""
    order = items[:]
    dice.shuffle(order)
    chunk = size * 20
    batches = []
    for start in range(0, len(order), chunk):
        part = sorted(order[start : start + chunk], key=lambda item: len(item.encoded.ids))
        batches += [part[i : i + size] for i in range(0, len(part), size)]
    dice.shuffle(batches)
    yield from batches


def pad(lines: Sequence[EncodedLine]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return ids, attention mask and types of shape (lines, longest)."""
    width = max(len(line.ids) for line in lines)
    ids = torch.tensor([[*line.ids, *[PAD_ID] * (width - len(line.ids))] for line in lines])
    types = torch.tensor([[*line.types, *[0] * (width - len(line.types))] for line in lines])
    return ids, (ids != PAD_ID).long(), types


if __name__ == "__main__":
    main()
