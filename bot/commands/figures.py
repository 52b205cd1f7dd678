"""Figures of the benchmarks: how they are kept and printed."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bot.sinks.console import write_line


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement, beside what it is compared with."""

    name: str
    value: float
    unit: str
    beside: tuple[str, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the figure in its stable format; `ratio` is value over beside."""
        line: dict[str, Any] = {
            "name": self.name,
            "value": round(self.value, 2),
            "unit": self.unit,
            "beside": None,
            "ratio": None,
        }
        if self.beside is not None:
            name, value = self.beside
            line |= {"beside": {"name": name, "value": round(value, 2)}, "ratio": round(self.value / value, 3)}
        return line


def print_figures(figures: Sequence[Figure], as_json: bool) -> None:
    """Print figures as a table or as JSON Lines."""
    if as_json:
        for figure in figures:
            write_line(sys.stdout, figure.as_json())
        return
    table = Table(box=None, header_style="bold")
    for column in ("what", "value", "unit", "beside", "ratio"):
        table.add_column(column, justify="right" if column in ("value", "ratio") else "left")
    for figure in figures:
        line = figure.as_json()
        beside = f"{line['beside']['name']} {line['beside']['value']:g}" if line["beside"] else ""
        table.add_row(figure.name, f"{figure.value:.1f}", figure.unit, beside, f"{line['ratio'] or '':}")
    Console(highlight=False).print(table)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def resident(pid: int) -> float:
    """Return the memory that a process holds, in MiB; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * 4096 / 2**20
