"""Lines as token ids, with a tokenizer of a few words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

from detectors.encoding import CONTEXT_TOKENS, LINE_TOKENS, PAD_ID, EncodedLine, encode

START, END, UNKNOWN = 0, 2, 3
WORDS = ("query:", "chat:", "my", "new", "ebook", "is", "out", "what", "today")
VOCABULARY = {"<s>": START, "<pad>": PAD_ID, "</s>": END, "<unk>": UNKNOWN} | {w: n for n, w in enumerate(WORDS, 4)}
QUERY, CHAT, MY, NEW, EBOOK, IS, OUT, WHAT, TODAY = (VOCABULARY[word] for word in WORDS)

SAID = st.lists(st.sampled_from([*WORDS, "<pad>", "</s>", "</S>", "＜pad＞", "\u200b", "zzz"]), max_size=250).map(
    " ".join
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    made = Tokenizer(WordLevel(VOCABULARY, unk_token="<unk>"))
    made.pre_tokenizer = WhitespaceSplit()
    made.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", START), ("</s>", END)])
    return made


@pytest.mark.parametrize(
    ("text", "kind", "context", "ids", "types"),
    [
        ("my new ebook", "speech", (), (START, QUERY, MY, NEW, EBOOK, END), "111111"),
        ("my new ebook", "chat", (), (START, QUERY, CHAT, MY, NEW, EBOOK, END), "1111111"),
        ("", "speech", (), (START, QUERY, END), "111"),
        (
            "my  n\u200bew",
            "speech",
            ("what today", "is out"),
            (0, 4, MY, NEW, 2, WHAT, TODAY, 2, IS, OUT, 2),
            "11111000000",
        ),
        ("my", "speech", ("", "out"), (START, QUERY, MY, END, END, OUT, END), "1111000"),
        ("my zzz", "speech", (), (START, QUERY, MY, UNKNOWN, END), "11111"),
        # the network's own signs, written out, mean nothing
        ("my </s> new <pad> ＜S＞ ebook", "speech", ("<pad> out",), (0, QUERY, MY, NEW, EBOOK, 2, OUT, 2), "11111100"),
    ],
)
def test_whole(
    tokenizer: Tokenizer, text: str, kind: str, context: tuple[str, ...], ids: tuple[int, ...], types: str
) -> None:
    assert encode(tokenizer, text, kind, context) == EncodedLine(ids, tuple(int(mark) for mark in types))


def test_what_is_too_long_is_cut(tokenizer: Tokenizer) -> None:
    encoded = encode(tokenizer, "my " * 200, "speech", ["what " * 60, "is " * 60, "out " * 30])
    line = (START, QUERY, *[MY] * (LINE_TOKENS - 3), END)
    before = (*[WHAT] * 3, END, *[IS] * 60, END, *[OUT] * 30, END)
    assert encoded == EncodedLine(line + before, (1,) * LINE_TOKENS + (0,) * CONTEXT_TOKENS)


@given(SAID, st.sampled_from(["speech", "chat"]), st.lists(SAID, max_size=4))
def test_shape(tokenizer: Tokenizer, text: str, kind: str, context: list[str]) -> None:
    encoded = encode(tokenizer, text, kind, context)
    own = sum(encoded.types)
    assert len(encoded.ids) == len(encoded.types)
    assert encoded.types == (1,) * own + (0,) * (len(encoded.types) - own)
    assert 3 <= own <= LINE_TOKENS
    assert len(encoded.types) - own <= CONTEXT_TOKENS
    line, before = encoded.ids[:own], encoded.ids[own:]
    assert line[0] == START
    assert [place for place, token in enumerate(line) if token == END] == [own - 1]
    assert before.count(END) <= len(context)
    assert before[-1:] == (END,) * bool(context)
    assert PAD_ID not in encoded.ids


@given(SAID, st.lists(SAID, max_size=4))
def test_context_does_not_change_the_line(tokenizer: Tokenizer, text: str, context: list[str]) -> None:
    alone = encode(tokenizer, text, "speech").ids
    assert encode(tokenizer, text, "speech", context).ids[: len(alone)] == alone
