"""The shipped weights in a plain `transformers` text-classification pipeline, to hold the bot's speed against."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import BertConfig, PreTrainedTokenizerFast, TextClassificationPipeline

from detectors.training.model import PitchModel
from detectors.training.read_back import read_back

Plain = Callable[[Sequence[str], int], list[Any]]


class _AnyTypes(PitchModel):
    """The network with every token counted as the line's own: a plain tokenizer knows no other."""

    config_class = BertConfig

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None, **more: Any) -> Any:
        return super().forward(input_ids, attention_mask, attention_mask, **more)


def plain_pipeline(folder: Path) -> Plain:
    """Return a function that reads texts in batches of a size with the model of `folder`."""
    model = read_back(folder).eval()
    model.__class__ = _AnyTypes
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>", unk_token="<unk>", eos_token="</s>"
    )
    pipeline = TextClassificationPipeline(model=model, tokenizer=tokenizer, top_k=None, device="cpu")
    return lambda texts, size: pipeline([f"query: {text}" for text in texts], batch_size=size)
