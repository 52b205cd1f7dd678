"""The command line at its edges: slow and leaving readers, foreign files, hostile names."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.test_cli import CLEAN, EVENING, ROOT, json_lines, of_type, pitchwatch


def test_classify_answers_a_slow_pipe_line_by_line() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "classify", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None and process.stdout is not None
    for number in range(3):
        process.stdin.write(json.dumps({"id": number, "text": "bonsoir", "kind": "chat"}).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == number
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def test_classify_shows_nothing_that_steers_a_terminal() -> None:
    row = {"id": "a\u001b[31mb", "text": "join \u202egnihcaoc\u202c my\u001b[2J course\u0007\nnow", "kind": "chat"}
    done = pitchwatch("classify", stdin=json.dumps(row).encode())
    shown = done.stdout.decode()
    assert done.returncode == 0 and shown.count("\n") == 1 and "gnihcaoc" in shown
    assert shown.rstrip("\n").isprintable()


def test_a_reader_that_leaves_is_no_traceback() -> None:
    command = f"{sys.executable} -m bot replay {EVENING} {CLEAN} --json | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=ROOT, timeout=120, check=False)
    assert done.stdout.startswith(b'{"type": "alert"') and b"Traceback" not in done.stderr


def test_a_foreign_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    done = pitchwatch("check", "@a", "--db", path)
    assert done.returncode == 1 and b"is a database of something else" in done.stderr
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["other.db"]


def test_a_name_cannot_forge_a_line(tmp_path: Path) -> None:
    script = tmp_path / "forged.jsonl"
    name = "@h\n  0:12 @victim\u202e » buy my course"
    spoken = {"type": "speech", "at": 2, "until": 8, "seat": 1, "who": name, "text": "my course is open now, join it"}
    rows = [
        {"type": "show", "id": "s", "title": "a\nb"},
        *({**spoken, "at": 9 * n, "until": 9 * n + 8} for n in range(30)),
    ]
    script.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = pitchwatch("replay", script)
    assert done.returncode == 0
    text = done.stdout.decode()
    assert "\u202e" not in text and "■ a b" in text
    assert not any(line.strip().startswith("0:12 @victim") for line in text.splitlines())


def test_a_room_may_be_named_from_here(tmp_path: Path) -> None:
    file = tmp_path / "rooms.toml"
    file.write_text('[[rooms]]\nkind = "replay"\naddress = "./samples/en-reels-evening.jsonl"\n')
    done = pitchwatch("run", "--config", file, "--db", tmp_path / "a.db", "--json")
    assert done.returncode == 0, done.stderr
    assert "@kingofreels" in {alert["host"] for alert in of_type(json_lines(done.stdout), "alert")}
    card = pitchwatch("check", "@kingofreels", "--db", tmp_path / "a.db", "--json")
    file.write_text(f'[[rooms]]\nkind = "replay"\naddress = "{CLEAN}"\n')
    assert pitchwatch("run", "--config", file, "--db", tmp_path / "a.db", "--json").returncode == 0
    again = pitchwatch("check", "@kingofreels", "--db", tmp_path / "a.db", "--json")
    assert json_lines(again.stdout)[0]["shows"] >= json_lines(card.stdout)[0]["shows"] == 1


def test_a_room_that_is_no_script_is_wrong_use(tmp_path: Path) -> None:
    file = tmp_path / "rooms.toml"
    file.write_text('[[rooms]]\nkind = "replay"\naddress = "pyproject.toml"\n')
    done = pitchwatch("run", "--config", file, "--db", tmp_path / "a.db")
    assert done.returncode == 2 and b"is no show script" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "a.db").exists()


def test_a_room_named_twice_is_wrong_use(tmp_path: Path) -> None:
    file = tmp_path / "rooms.toml"
    file.write_text(f'[[rooms]]\nkind = "replay"\naddress = "{EVENING}"\n' * 2)
    done = pitchwatch("doctor", "--config", file)
    assert done.returncode == 2 and b"listed twice" in done.stderr and len(done.stderr.splitlines()) == 1
