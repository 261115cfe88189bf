"""`watch --store` as a process: what is watched is stored too, once, and goes on where it was."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

LINE = b'10.0.0.1 - - [22/Nov/2026:10:00:%02d +0000] "GET /a/x HTTP/1.1" 200 5 "-" "curl"\n'
LINES = b"".join(LINE % number for number in range(30))


def environment(**more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("HEELER_")}
    return {**own, "PYTHONUTF8": "1", **more}


def heeler(*arguments: str, **more: str) -> tuple[int, bytes, str]:
    command = [sys.executable, "-m", "heeler", *arguments]
    done = subprocess.run(command, capture_output=True, env=environment(**more), timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


@contextmanager
def watching(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "heeler", "watch", "--plain", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), bufsize=0
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
            assert b"Traceback" not in err, err.decode()
            assert process.returncode == 130


def wait_until_stored(lake: Path, text: bytes, process: subprocess.Popen[bytes]) -> None:
    """Ask until the lake holds ``text``; each question takes as long as a process does to start."""
    while heeler("export", "--store", str(lake))[1] != text:
        assert process.poll() is None, process.communicate()


def test_what_is_watched_is_stored_once_and_goes_on_where_it_was(tmp_path: Path) -> None:
    log, lake = tmp_path / "access.log", tmp_path / "lake"
    log.write_bytes(LINES)

    with watching(str(log), "--from-start", "--threshold", "0.1", "--store", f"lake:{lake}") as process:
        wait_until_stored(lake, LINES, process)
        with log.open("ab") as opened:
            opened.write(LINE % 31 + LINE[:20])
        wait_until_stored(lake, LINES + LINE % 31, process)
    with log.open("ab") as opened:
        opened.write(LINE[20:] % 32 + LINE % 33)
    with watching(str(log), "--store", f"lake:{lake}") as process:
        wait_until_stored(lake, LINES + LINE % 31 + LINE % 32 + LINE % 33, process)

    assert heeler("export", f"stream:{log}", "group:default", "--store", str(lake))[1] == log.read_bytes()
    with closing(sqlite3.connect(lake / "catalog.sqlite")) as catalog:
        assert catalog.execute("select rule, state, hits from alert").fetchall() == [("high traffic", "triggered", 13)]
        [(source, part)] = catalog.execute("select source, part from position").fetchall()
        assert (source, part.split("\0")[:2]) == ("file", ["default", str(log)])


@pytest.mark.parametrize("watched_first", [True, False])
def test_a_file_that_is_watched_and_ingested_is_stored_once(tmp_path: Path, *, watched_first: bool) -> None:
    """Also its last line, which was stored before it was written to its end."""
    log, lake = tmp_path / "access.log", tmp_path / "lake"
    log.write_bytes(LINES + LINE[:20])
    store = ["--store", f"lake:{lake}"]

    def watch(stored: bytes) -> None:
        with watching(str(log), "--from-start", *store) as process:
            wait_until_stored(lake, stored, process)

    def ingest() -> str:
        return heeler("ingest", str(log), *store)[2]

    if watched_first:
        watch(LINES)
        assert "1 lines as" in ingest()
    else:
        assert "31 lines as" in ingest()
    with log.open("ab") as opened:
        opened.write(LINE[20:] % 31 + LINE % 32)
    watch(log.read_bytes())
    assert "nothing new" in ingest()

    assert heeler("export", f"stream:{log}", *store)[1] == log.read_bytes()


def test_nothing_is_stored_unless_the_command_line_says_so(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(LINES)

    assert heeler("watch", "--replay", str(log), HEELER_STORE=f"lake:{tmp_path / 'lake'}")[0] == 0
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize("options", [["--replay"], []])
def test_what_cannot_be_stored_is_told(tmp_path: Path, options: list[str]) -> None:
    log, file = tmp_path / "access.log", tmp_path / "file"
    log.write_bytes(LINES)
    file.touch()

    code, _, err = heeler("watch", "--plain", str(log), *options, "--store", f"lake:{file}")

    assert code == (2 if options else 3)
    assert ("A replay is not stored" if options else "cannot be made") in err
