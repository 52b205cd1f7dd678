"""What the classifier is told about the moments before a line.

Training and the running bot call the same function, so that the model never meets a kind of context that it was
not trained on.
"""

from collections.abc import Sequence
from typing import Final, Protocol

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


def choose_context(earlier: Sequence[Spoken], kind: str, who: str) -> list[str]:
    """Return up to `CONTEXT_LINES` texts from `earlier` (oldest first), the lines a person needs to follow the
    new line.

    A speaker is understood from what was said on the seats, whoever sat there; the chat in between is noise to
    them, apart from the last question put to them. Someone in the chat answers both the stage and the chat.
    """
    recent = earlier[-40:]
    if kind == "speech":
        chosen = [i for i, line in enumerate(recent) if line.kind == "speech"][-CONTEXT_LINES:]
    else:
        own = [i for i, line in enumerate(recent) if line.kind == "chat" and line.who == who][-1:]
        chosen = sorted({*own, *range(max(0, len(recent) - 2), len(recent))})[-CONTEXT_LINES:]
    return [recent[i].text[-CONTEXT_CHARS:] for i in chosen]
