"""`ingest` and `streams` as processes: what they print, where, and with which code they end."""

import bz2
import gzip
import json
import lzma
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

LINE = b'10.0.0.%d - - [22/Nov/2026:10:00:%02d +0000] "GET /a/x HTTP/1.1" 200 5 "-" "curl"\n'
LINES = b"".join(LINE % (number % 250, number % 60) for number in range(100))


def environment(**more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HEELER_", "NO_COLOR"))}
    return {**own, "PYTHONUTF8": "1", "COLUMNS": "200", **more}


def heeler(*arguments: str, given: bytes = b"", **more: str) -> tuple[int, bytes, str]:
    command = [sys.executable, "-m", "heeler", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, env=environment(**more), timeout=60, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture
def lake(tmp_path: Path) -> str:
    return f"lake:{tmp_path / 'lake'}"


def test_files_are_taken_in_and_counted(tmp_path: Path, lake: str) -> None:
    a, b = tmp_path / "a.log", tmp_path / "b.log"
    a.write_bytes(LINES)
    b.write_bytes(LINES + b"no request\n")

    code, out, err = heeler("ingest", str(a), str(b), "--store", lake, "--group", "web", "--json")

    counts = json.loads(out)
    assert list(counts) == ["lines", "parsed", "unparsed", "bytes", "seconds"]
    assert counts["seconds"] >= 0
    assert {**counts, "seconds": 0} == {
        "lines": 201,
        "parsed": 200,
        "unparsed": 1,
        "bytes": 2 * len(LINES) + 11,
        "seconds": 0,
    }
    assert err == f"{a}: 100 lines as combined\n{b}: 101 lines as combined, 99.01 % parsed\n"
    assert code == 0

    code, out, err = heeler("streams", "--store", lake, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows == [
        {
            "group": "web",
            "stream": str(path),
            "source": "file",
            "first": "2026-11-22T10:00:00+00:00",
            "last": "2026-11-22T10:00:59+00:00",
            "lines": lines,
            "bytes": path.stat().st_size,
        }
        for path, lines in ((a, 100), (b, 101))
    ]
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    "compress",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress, lambda data: data],
    ids=["gz", "bz2", "xz", "zst", "plain"],
)
def test_compressed_files_and_standard_input_are_as_plain_ones(
    tmp_path: Path, lake: str, compress: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(compress(LINES))

    assert heeler("ingest", str(file), "--store", lake, "--stream", "file")[0] == 0
    code, out, err = heeler("ingest", "-", "--store", lake, given=compress(LINES))

    assert (code, out, err) == (0, b"", "standard input: 100 lines as combined\n")
    assert heeler("export", "stream:file", "--store", lake)[:2] == (0, LINES)
    assert heeler("export", "stream:stdin", "--store", lake)[:2] == (0, LINES)


def test_the_environment_names_the_store_where_the_command_line_does_not(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(LINES)
    named, other, own = tmp_path / "named", tmp_path / "other", tmp_path / "data"

    assert heeler("ingest", str(file), HEELER_STORE=f"lake:{named}")[0] == 0
    assert heeler("ingest", str(file), "--store", str(other), HEELER_STORE=f"lake:{named}")[0] == 0
    assert heeler("ingest", str(file), XDG_DATA_HOME=str(own), HOME=str(own))[0] == 0

    assert {path.name for path in tmp_path.iterdir()} == {"a.log", "named", "other", "data"}
    assert heeler("export", "--store", str(other))[1] == LINES
    assert heeler("export", XDG_DATA_HOME=str(own), HOME=str(own))[1] == LINES


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("timescale://db/logs", r"needs the extra heeler\[postgres\]"),
        ("lake+postgres://db/logs", r"needs the extra heeler\[postgres\]"),
        ("laek:logs", r"is of no known kind; give lake:PATH"),
    ],
)
def test_another_kind_of_store_is_refused(tmp_path: Path, url: str, sentence: str) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(LINES)
    for command in (["ingest", str(file)], ["export"], ["streams"]):
        code, out, err = heeler(*command, "--store", url)
        assert (code, out) == (2, b"")
        assert re.search(sentence, err)


def test_what_cannot_be_read_is_told_with_the_right_code(tmp_path: Path, lake: str) -> None:
    good, bad = tmp_path / "a.log", tmp_path / "b.gz"
    good.write_bytes(LINES)
    bad.write_bytes(gzip.compress(LINES)[:-20])

    code, out, err = heeler("ingest", str(tmp_path), str(good), "--store", lake, "--json")
    assert (code, json.loads(out)["lines"]) == (2, 100)
    assert f"{tmp_path} is a directory. Name a file" in err

    code, out, err = heeler("ingest", str(bad), str(tmp_path / "none"), "--store", lake)
    assert code == 3
    assert f"{bad} ends in the middle of its gzip data" in err
    assert f"{tmp_path / 'none'} does not exist. Check the name." in err


def test_nothing_is_no_failure(tmp_path: Path, lake: str) -> None:
    file = tmp_path / "a.log"
    file.touch()

    code, out, err = heeler("ingest", str(file), "-", "--store", lake, "--json")

    assert (code, json.loads(out)["lines"]) == (0, 0)
    assert err == f"{file}: nothing new\nstandard input: nothing new\n"
    assert heeler("streams", "--store", lake)[0] == 1


def test_a_lake_that_is_written_refuses_a_second_writer(lake: str) -> None:
    command = [sys.executable, "-m", "heeler", "ingest", "-", "--store", lake]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as first:
        assert first.stdin is not None
        assert first.stderr is not None
        first.stdin.write(LINES)
        first.stdin.flush()
        while heeler("export", "--store", lake)[1] != LINES:
            assert first.poll() is None
        code, _, err = heeler("ingest", "-", "--store", lake)
        assert code == 3
        assert f"is being written by another process (pid {first.pid})" in err

        first.send_signal(signal.SIGINT)
        assert b"Traceback" not in first.stderr.read()
        assert first.wait(20) == 130

    assert heeler("export", "--store", lake)[1] == LINES


def test_a_terminal_sees_a_bar_and_a_pipe_does_not(tmp_path: Path, lake: str) -> None:
    file = tmp_path / "a\x1b[31m.log"
    file.write_bytes(LINES)
    own, terminal = pty.openpty()
    command = [sys.executable, "-m", "heeler", "ingest", str(file), "--store", lake]
    with subprocess.Popen(command, stderr=terminal, env=environment(TERM="xterm")) as process:
        os.close(terminal)
        shown = b""
        try:
            while part := os.read(own, 4096):
                shown += part
        except OSError:
            pass  # a terminal says so that its other side is closed
        assert process.wait(20) == 0
    os.close(own)

    assert b"lines/s" in shown
    assert b"a\\x1b[31m.log: 100 lines as combined" in shown
    assert b"lines/s" not in heeler("ingest", str(file), "--store", lake)[2].encode()


def test_streams_is_a_table(tmp_path: Path, lake: str) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(LINES)
    heeler("ingest", str(file), "--stream", "web\x1b[2J", "--store", lake)

    code, out, err = heeler("streams", "--store", lake)

    assert out.decode().splitlines() == [
        "group    stream      source  first                      last                       lines  bytes",
        "default  web\\x1b[2J  file    2026-11-22 10:00:00+00:00  2026-11-22 10:00:59+00:00    100  7,990",
    ]
    assert (code, err) == (0, "")
