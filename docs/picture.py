"""Turn what a terminal showed into a picture: `tmux capture-pane -e -p | python docs/picture.py OUT.svg [TITLE]`."""

import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text


def main() -> None:
    """Read coloured terminal output from standard input and write it as SVG."""
    out, title = Path(sys.argv[1]), " ".join(sys.argv[2:]) or "pitchwatch"
    lines = sys.stdin.read().rstrip().splitlines()
    text = Text("\n").join(Text.from_ansi(line) for line in lines)
    console = Console(record=True, file=StringIO(), width=max(len(Text.from_ansi(line)) for line in lines) + 1)
    console.print(text)
    console.save_svg(str(out), title=title, theme=MONOKAI)


if __name__ == "__main__":
    main()
