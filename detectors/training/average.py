"""Take the mean of two models' weights: `python -m detectors.training.average FIRST SECOND --out CHECKPOINT`.

Where the second was tuned on from the first, their mean keeps most of what the tuning taught and more of what was known
before it (Wortsman et al., 2022, "Robust fine-tuning of zero-shot models"). Each may be a checkpoint or a model folder.
"""

import argparse
from pathlib import Path

import torch

from detectors.training.train import load


def mean(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """Return the weights, `share` of the second's in them. Raises ValueError when they are not of one shape."""
    if {n: v.shape for n, v in first.items()} != {n: v.shape for n, v in second.items()}:
        raise ValueError("the models are not of one shape")
    return {n: torch.lerp(v, second[n], share) if v.is_floating_point() else v for n, v in first.items()}


def main() -> None:
    """Write the checkpoint named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="share of the second (default: half)")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    (model, tokenizer), (other, _) = load(given.first), load(given.second)
    model.load_state_dict(mean(model.state_dict(), other.state_dict(), given.share))
    model.save_pretrained(given.out)
    tokenizer.save(str(given.out / "tokenizer.json"))


if __name__ == "__main__":
    main()
