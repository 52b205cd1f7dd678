"""The hard kinds that the data must hold in numbers: `data/kinds.toml` maps the writers' free tags to them."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from detectors.taxonomy import ACTS, CUES, OFFERS
from detectors.training.passages import DATA, LabelledLine

KINDS = DATA / "kinds.toml"
#: Fewest lines of a kind that names no other number.
LEAST = 150


@dataclass(frozen=True, slots=True)
class Kind:
    """A hard kind: the tags of passages that hold it, and what its lines' labels and words are (empty: whatever)."""

    name: str
    what: str
    tags: frozenset[str]
    acts: frozenset[str]
    offers: frozenset[str]
    cues: frozenset[str]
    says: re.Pattern[str] | None = None
    least: int = LEAST

    def is_in(self, tags: Iterable[str]) -> bool:
        """Whether a passage with such tags holds this kind; without tags of its own, every passage may."""
        return not self.tags or not self.tags.isdisjoint(tags)

    def counts(self, line: LabelledLine) -> bool:
        """Whether `line` is one of this kind: in such a passage, with such labels; without any, no pitch."""
        if not self.is_in(line.kinds):
            return False
        if self.says:
            return bool(self.says.search(line.text))
        if not self.acts:
            return line.act != "pitch"
        return (
            line.act in self.acts
            and (not self.offers or not self.offers.isdisjoint(line.offers))
            and (not self.cues or not self.cues.isdisjoint(line.cues))
        )


def read_kinds(path: Path = KINDS) -> list[Kind]:
    """Read the hard kinds.

    Raises:
        ValueError: a kind that every line would be of, or with a label that is not in the taxonomy.
        KeyError: a kind without `what`.
    """
    kinds = []
    for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
        sets = {key: frozenset(entry.get(key, ())) for key in ("tags", "acts", "offers", "cues")}
        if unknown := sets["acts"] - set(ACTS) | sets["offers"] - set(OFFERS) | sets["cues"] - set(CUES):
            raise ValueError(f"{path}: {name}: not in the taxonomy: {', '.join(sorted(unknown))}")
        says = re.compile(entry["says"], re.IGNORECASE) if "says" in entry else None
        if not sets["tags"] and not sets["acts"] and not says:
            raise ValueError(f"{path}: {name}: needs tags, acts, or what it says")
        kinds.append(Kind(name, entry["what"], **sets, says=says, least=entry.get("least", LEAST)))
    return kinds
