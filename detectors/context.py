"""What the classifier is told about the moments before a line.

Training and the running bot call the same function, so that the model never meets a kind of context that it was
not trained on.
"""

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

#: Lines of context given to the classifier, and the most characters of each.
CONTEXT_LINES: Final = 3
CONTEXT_CHARS: Final = 160


class Spoken(Protocol):
    """The part of a line that context is chosen by."""

    @property
    def who(self) -> str:
        """The speaker, comparable."""
        ...

    @property
    def kind(self) -> str:
        """speech or chat."""
        ...

    @property
    def text(self) -> str:
        """What was said."""
        ...


_Line = TypeVar("_Line", bound=Spoken)


def choose_context(earlier: Sequence[Spoken], kind: str, who: str) -> list[str]:
    """Return up to `CONTEXT_LINES` texts from `earlier` (oldest first), the lines a person needs to follow the
    new line."""
    return [line.text[-CONTEXT_CHARS:] for line in choose_lines(earlier, kind, who, CONTEXT_LINES)]


def choose_lines(earlier: Sequence[_Line], kind: str, who: str, most: int) -> list[_Line]:
    """Return up to `most` lines from `earlier`, oldest first.

    A speaker is understood from what was said on the seats, whoever sat there; the chat in between is left out,
    and with it the questions that a speaker may be answering. Someone in the chat answers both the stage and the chat.
    """
    if most == 0:
        return []
    recent = earlier[-40:]
    if kind == "speech":
        chosen = [i for i, line in enumerate(recent) if line.kind == "speech"][-most:]
    else:
        own = [i for i, line in enumerate(recent) if line.kind == "chat" and line.who == who][-1:]
        chosen = sorted({*own, *range(max(0, len(recent) - most + 1), len(recent))})[-most:]
    return [recent[i] for i in chosen]
