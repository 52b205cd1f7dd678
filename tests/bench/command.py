"""What benches over whole shows have in common: their arguments, the shows they ask for, and a table of rows."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from detectors.classifier import SHIPPED_MODEL
from tests.bench.readings import shows_of
from tests.bench.shows import TruthShow


def parser(about: str | None) -> argparse.ArgumentParser:
    """Return a parser for folders of shows, the model that reads them, and where its readings are kept."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("folders", nargs="+", type=Path)
    made.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="model folder (default: the one that ships)")
    made.add_argument("--cache", type=Path, help="keep readings in this folder")
    return made


def asked_shows(given: argparse.Namespace) -> list[TruthShow]:
    """Return the shows of the folders as the model reads them. Exits with code 2 when there are none."""
    shows = shows_of(given.folders, given.model, given.cache)
    if not shows:
        print("no show scripts with .truth.json beside them", file=sys.stderr)
        raise SystemExit(2)
    return shows


def print_rows(rows: Sequence[dict[str, Any]], width: int = 120) -> None:
    """Print rows with the same keys as a table."""
    table = Table(box=None, header_style="bold")
    for column in rows[0]:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(width=width, highlight=False).print(table)
