"""All words that a person reads, by key and language: `texts/en.toml`, `texts/fr.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

TEXTS: Final = Path(__file__).parent / "texts"
LANGUAGES: Final = ("en", "fr")


@cache
def wording(language: str) -> Mapping[str, str]:
    """Return every text of a language by its dotted key. Raises KeyError for an unknown language."""
    if language not in LANGUAGES:
        raise KeyError(language)
    nested = tomllib.loads((TEXTS / f"{language}.toml").read_text(encoding="utf-8"))
    return dict(_flat(nested, ""))


def _flat(nested: Mapping[str, object], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in nested.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", str(value)))
    return found


def say(language: str, key: str, **params: object) -> str:
    """Return the text of `key` with its `{params}` filled in. Raises KeyError when there is no such text."""
    return wording(language)[key].format(**params)
