"""The command line as a user meets it: every command in a process of its own, with the model that ships."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parent.parent
EVENING: Final = ROOT / "samples" / "en-reels-evening.jsonl"
CLEAN: Final = ROOT / "samples" / "en-reels-clean.jsonl"
HEADER: Final = '{"type":"show","id":"s","title":"T","platform":"replay","host":"@h","lang":"en"}\n'


def pitchwatch(
    *arguments: object, stdin: bytes = b"", cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "bot", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd or ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        timeout=120,
        check=False,
    )


def json_lines(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.decode().splitlines()]


def of_type(lines: Sequence[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] == sort]


def test_replay_finds_the_pitch_and_leaves_the_twin_alone_twice_the_same() -> None:
    first = pitchwatch("replay", EVENING, CLEAN, "--json")
    second = pitchwatch("replay", EVENING, CLEAN, "--json")
    assert (first.returncode, first.stderr) == (0, b"")
    assert first.stdout == second.stdout
    lines = json_lines(first.stdout)
    truth = json.loads(EVENING.with_suffix(".truth.json").read_text())
    start = min(pitch["from"] for pitch in truth["pitches"])
    alerts = of_type(lines, "alert")
    assert {alert["show"] for alert in alerts} == {"en-reels-evening"}
    assert {alert["host"] for alert in alerts} <= {pitch["by"] for pitch in truth["pitches"]}
    assert start <= alerts[0]["at"] <= start + 45
    host = next(alert for alert in alerts if alert["host"] == "@kingofreels")
    assert start <= host["at"] <= start + 60
    assert {"ebook", "coaching"} & {
        offer for line in lines if line["type"] in ("alert", "update") for offer in line["offers"]
    }
    for alert in alerts:
        assert alert["evidence"] and alert["why"] and alert["since"] <= alert["at"]
    assert {span["phase"] for span in of_type(lines, "phase") if span["show"] == "en-reels-clean"} <= {"teach", "talk"}
    summaries = {line["show"]: line for line in of_type(lines, "summary")}
    assert summaries["en-reels-evening"]["alerts"] == len(alerts)
    assert summaries["en-reels-clean"]["alerts"] == 0
    assert all(summary["skipped"] == 0 and summary["unread"] == 0 for summary in summaries.values())


def test_classify_keeps_order_on_two_thousand_lines() -> None:
    texts = ["lol", "see you tomorrow", "my course is open, the link is below", "bonsoir tout le monde"]
    rows = [{"id": i, "text": f"{texts[i % 4]} {i % 7}", "kind": "chat" if i % 2 else "speech"} for i in range(2000)]
    done = pitchwatch("classify", "--json", stdin="".join(json.dumps(row) + "\n" for row in rows).encode())
    answers = json_lines(done.stdout)
    assert done.returncode == 0
    assert [answer["id"] for answer in answers] == list(range(2000))
    assert all(
        abs(sum(answer["acts"].values()) - 1) < 1e-4 and answer["pitch"] == answer["acts"]["pitch"]
        for answer in answers
    )
    assert {len(answer["offers"]) for answer in answers} == {11} and {len(answer["cues"]) for answer in answers} == {11}


def test_classify_passes_over_bad_lines() -> None:
    lines = [b'{"id":1,"text":"hello","kind":"chat"}', b"\xff\xfe\x00", b"{", b'{"id":2,"text":"","kind":"chat"}']
    lines += [
        b'{"id":3,"text":"x","kind":"song"}',
        b'{"id":4,"text":"' + b"y" * 70_000 + b'"}',
        b'{"id":5,"text":"bye"}',
    ]
    done = pitchwatch("classify", "--json", stdin=b"\n".join(lines))
    assert [answer["id"] for answer in json_lines(done.stdout)] == [1, 5]
    assert [line.split(":")[1].strip() for line in done.stderr.decode().splitlines()] == [
        f"line {n}" for n in (2, 3, 4, 5, 6)
    ]


def test_check_and_digest_tell_what_a_replay_stored(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    assert pitchwatch("replay", EVENING, "--db", database).returncode == 0
    (card,) = json_lines(pitchwatch("check", "@kingofreels", "--db", database, "--json").stdout)
    assert card["type"] == "card" and card["account"] == "replay:script:@kingofreels"
    assert card["shows"] == 1 and card["episodes"]["open"] >= 1 and card["offers"] and 0.3 < card["hours"] < 0.6
    done = pitchwatch(
        "digest", "--since", "7d", "--db", database, "--json", "--png", tmp_path / "d.png", "--csv", tmp_path / "d.csv"
    )
    (digest,) = json_lines(done.stdout)
    (ranked,) = (row for row in digest["ranking"] if row["account"] == card["account"])
    assert ranked["open"] == card["episodes"]["open"]
    assert digest["rooms"][0]["heard_hours"] > 0.3
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG") and "@kingofreels" in (
        tmp_path / "d.csv"
    ).read_text()
    people = pitchwatch("check", "@kingofreels", "--db", database).stdout.decode()
    assert "@kingofreels" in people and "open" in people
    (nobody,) = json_lines(pitchwatch("check", "@nobody", "--db", database, "--json").stdout)
    assert nobody["account"] is None and nobody["listening_since"] is not None
    assert "Nothing is known about @nobody" in pitchwatch("check", "@nobody", "--db", database).stdout.decode()


def test_the_same_show_again_changes_nothing(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    pitchwatch("replay", EVENING, "--db", database)
    before = _counts(database)
    again = pitchwatch("replay", EVENING, "--db", database, "--json")
    assert again.returncode == 0 and of_type(json_lines(again.stdout), "alert") == []
    assert _counts(database) == before


def _counts(database: Path) -> dict[str, list[Any]]:
    connection = sqlite3.connect(database)
    tables = ("alerts", "evidence", "observations", "participations")
    rows = {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3").fetchall() for name in tables}
    connection.close()
    return rows


def test_doctor_says_what_to_do(tmp_path: Path) -> None:
    well = pitchwatch("doctor", "--json", "--db", tmp_path / "a.db")
    assert well.returncode == 0 and all(line["ok"] for line in json_lines(well.stdout))
    assert not (tmp_path / "a.db").exists()
    ill = pitchwatch("doctor", "--json", "--db", tmp_path / "missing" / "a.db")
    assert ill.returncode == 1
    assert [line["check"] for line in json_lines(ill.stdout) if not line["ok"]] == ["database"]


def test_bench_prints_ratios() -> None:
    done = pitchwatch("bench", "--json")
    lines = json_lines(done.stdout)
    assert done.returncode == 0 and len(lines) >= 5
    assert all(line["value"] > 0 and {"name", "unit", "beside", "ratio"} <= line.keys() for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay"], "FILE"),
        (["replay", "x.jsonl", "--speed", "0"], "--speed"),
        (["replay", "no-such-file.jsonl"], "no-such-file.jsonl: cannot be read"),
        (["replay", "pyproject.toml"], "is no show script"),
        (["digest", "--since", "soon"], "--since soon"),
        (["check", "@a", "--db", "no-such.db"], "no-such.db: there is no such database"),
        (["transcribe", "no-such.wav"], "no-such.wav: there is no such file"),
        (["run"], "no room is configured"),
        (["doctor", "--config", "no.toml"], "no.toml: there is no such file"),
        (["sing"], "sing"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(arguments: list[str], said: str) -> None:
    done = pitchwatch(*arguments)
    assert done.returncode == 2
    assert done.stdout == b"" and len(done.stderr.decode().splitlines()) == 1 and said in done.stderr.decode()


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[policy]\nthreshold_normal = 2.0\n", "policy.threshold_normal = 2.0: input should be less than 1"),
        ("[models]\nthread = 2\n", "models.thread: there is no such setting; did you mean `threads`?"),
        ("language = 'de'\n", "language = 'de': input should be 'en' or 'fr'"),
        ("language = \n", "not valid TOML"),
        ("[[rooms]]\nkind = 'radio'\naddress = 'x'\n", "rooms.0.kind = 'radio'"),
        ("[[rooms]]\nkind = 'replay'\naddress = 'x'\nwatches = []\n", "rooms.0.watches = []"),
        ("[policy]\nthreshold_low = 0.1\n", "`low` must not alert before `normal`"),
        ("policy = 5\n", "policy = 5: must be a table: [policy]"),
        ("discord = 'secret-token'\n", "discord = •••"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(tmp_path: Path, toml: str, said: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(toml)
    done = pitchwatch("doctor", "--config", file)
    assert done.returncode == 2 and len(done.stderr.decode().splitlines()) == 1
    assert said in done.stderr.decode()


def test_a_wrong_environment_variable_is_named(tmp_path: Path) -> None:
    done = pitchwatch("doctor", PITCHWATCH_MODELS__THREADS="many")
    assert done.returncode == 2 and b"models.threads = 'many'" in done.stderr
    done = pitchwatch("doctor", PITCHWATCH_LANGAUGE="fr")
    assert (
        done.returncode == 2
        and b"PITCHWATCH_LANGAUGE: there is no such setting; did you mean `language`" in done.stderr
    )


def test_bad_lines_are_named_and_the_show_goes_on(tmp_path: Path) -> None:
    good = '{"type":"speech","at":9,"until":12,"seat":1,"who":"@h","text":"and that is why the dough rests"}\n'
    bad = ["{", '{"type":"dance","at":1}', '{"type":"chat","at":1,"who":"@a","text":"x","pad":"' + "z" * 70_000 + '"}']
    bad += ['{"type":"speech","at":3,"until":4,"seat":7,"who":"@h","text":"x"}', "\x00\x01"]
    late = '{"type":"chat","at":2,"who":"@a","text":"time runs back"}\n'
    script = tmp_path / "bad.jsonl"
    script.write_bytes((HEADER + "\n".join(bad) + "\n" + good + late).encode())
    done = pitchwatch("replay", script, "--json")
    (summary,) = of_type(json_lines(done.stdout), "summary")
    assert done.returncode == 0
    assert (summary["events"], summary["skipped"]) == (1, 6)
    for number in (2, 3, 4, 5, 6, 8):
        assert f"bad.jsonl:{number}: passed over" in done.stderr.decode()


def test_an_empty_show_has_a_summary(tmp_path: Path) -> None:
    script = tmp_path / "empty.jsonl"
    script.write_text(HEADER)
    done = pitchwatch("replay", script, "--json")
    expected = {
        "type": "summary",
        "show": "s",
        "events": 0,
        "skipped": 0,
        "unread": 0,
        "alerts": 0,
        "seconds_of_show": 0.0,
    }
    assert done.returncode == 0 and json_lines(done.stdout) == [expected]


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(ROOT / "detectors" / "model", folder)
    with (folder / "upper.onnx").open("r+b") as file:
        file.seek(100_000)
        file.write(b"damage")
    done = pitchwatch("replay", EVENING, PITCHWATCH_MODELS__FOLDER=str(folder))
    assert done.returncode == 1
    assert b"upper.onnx: is damaged" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_locked_database_is_said_and_nothing_half_written(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    assert pitchwatch("replay", EVENING, "--db", database).returncode == 0
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    done = pitchwatch("replay", CLEAN, "--db", database, PITCHWATCH_STORE__BUSY_SECONDS="0.2")
    holder.execute("ROLLBACK")
    assert done.returncode == 1 and b"locked by another program" in done.stderr
    assert holder.execute("SELECT id FROM shows").fetchall() == [("en-reels-evening",)]
    holder.close()


def test_a_full_disk_is_said_and_nothing_half_written(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    pitchwatch("replay", CLEAN, "--db", database)
    # What is loaded before needs room of its own, so the limit comes after it.
    limited = (
        "import resource, sys; from bot.__main__ import main; from detectors.language import load_identifier;"
        f" load_identifier(); most = {database.stat().st_size + 8192};"
        " resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)); sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", limited, "replay", str(EVENING), "--db", str(database)]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1 and b"nothing was half written" in done.stderr
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    orphans = "SELECT COUNT(*) FROM evidence WHERE alert NOT IN (SELECT id FROM alerts)"
    assert connection.execute(orphans).fetchone() == (0,)
    connection.close()


def test_sigterm_in_the_middle_then_the_next_start_goes_on(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    _config(tmp_path, "fast.toml", whole, 10_000)
    assert pitchwatch("run", "--config", tmp_path / "fast.toml", "--json").returncode == 0

    database = tmp_path / "cut.db"
    slow = _config(tmp_path, "slow.toml", database, 150)
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "run", "--config", str(slow), "--json"],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    assert process.wait(timeout=30) == 0 and first["type"] == "alert"

    connection = sqlite3.connect(database)
    assert connection.execute("SELECT id, running FROM alerts WHERE id = ?", [first["id"]]).fetchall() == [
        (first["id"], 1)
    ]
    assert connection.execute("SELECT ended FROM shows").fetchall() == [(0,)]
    connection.close()

    done = pitchwatch("run", "--config", _config(tmp_path, "fast.toml", database, 10_000), "--json")
    rest = json_lines(done.stdout)
    assert done.returncode == 0 and first["id"] not in {line["id"] for line in of_type(rest, "alert")}
    assert first["id"] in {line["id"] for line in of_type(rest, "update")}
    assert _without_times(database) == _without_times(whole)


def _config(folder: Path, name: str, database: Path, speed: int) -> Path:
    file = folder / name
    file.write_text(
        f'[store]\npath = "{database}"\n[[rooms]]\nkind = "replay"\naddress = "{EVENING}"\nspeed = {speed}\n'
    )
    return file


def _without_times(database: Path) -> list[Any]:
    connection = sqlite3.connect(database)
    alerts = connection.execute("SELECT id, account, since, at, status, running FROM alerts ORDER BY id").fetchall()
    shows = connection.execute("SELECT id, seconds, events, ended, phases FROM shows").fetchall()
    people = connection.execute("SELECT account, lines, words FROM participations ORDER BY account").fetchall()
    connection.close()
    return [alerts, shows, people]
