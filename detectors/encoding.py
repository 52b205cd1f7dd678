"""A line and its context as token ids: one function for training and for the running bot.

Layout: `<s> query: the line </s> earlier line </s> … </s>`. Token type 1 marks the line itself, 0 its context;
the model averages over type 1 only, so that the context explains a line but is not judged with it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tokenizers import Tokenizer

from detectors.normalise import normalise

#: Most tokens of the line itself and of all its context together.
LINE_TOKENS: Final = 96
CONTEXT_TOKENS: Final = 96
PAD_ID: Final = 1
_END: Final = 2
# "query: " is the prefix that the encoder was pre-trained with; a chat line says so, since people write there
# what they would not say.
_PREFIX: Final = {"speech": "query: ", "chat": "query: chat: "}
# Pieces that mean something to the network; written out in a chat they are only letters.
_MARKS: Final = re.compile(r"</?s>|<(?:pad|unk|mask)>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EncodedLine:
    """Token ids and token types of one line with its context, both of the same length, at most
    `LINE_TOKENS + CONTEXT_TOKENS`."""

    ids: tuple[int, ...]
    types: tuple[int, ...]


def encode(tokenizer: Tokenizer, text: str, kind: str, context: Sequence[str] = ()) -> EncodedLine:
    """Encode `text` of `kind` (speech or chat) with the `context` said before it, oldest first.

    What is too long is cut: the line at its end, the context at its oldest words.
    """
    line: list[int] = tokenizer.encode(_PREFIX[kind] + _plain(text)).ids[:LINE_TOKENS]
    line[-1] = _END
    before: list[int] = []
    for earlier in context:
        before += tokenizer.encode(_plain(earlier), add_special_tokens=False).ids
        before.append(_END)
    before = before[-CONTEXT_TOKENS:]
    return EncodedLine((*line, *before), (1,) * len(line) + (0,) * len(before))


def _plain(text: str) -> str:
    return _MARKS.sub(" ", normalise(text))
