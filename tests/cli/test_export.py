"""`export` as a process: bytes on standard output, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TEXT = b"one\r\n\xff\xfe\0two\n\n\xef\xbb\xbfthree\x01" + b"x" * 2_000_000


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "heeler", *arguments]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HEELER_")}


def heeler(*arguments: str, given: bytes = b"") -> tuple[int, bytes, str]:
    done = subprocess.run(
        command(*arguments), input=given, capture_output=True, env=environment(), timeout=60, check=False
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    lake = f"lake:{tmp_path_factory.mktemp('export')}"
    for stream, text in (("s1", TEXT), ("s10", b"other\n")):
        assert heeler("ingest", "-", "--stream", stream, "--store", lake, given=text)[0] == 0
    return lake


def test_the_bytes_of_one_stream_are_those_that_came(lake: str) -> None:
    assert heeler("export", "stream:s1", "--store", lake) == (0, TEXT, "")
    assert heeler("export", "stream:s10", "--store", lake) == (0, b"other\n", "")


def test_with_no_query_everything_comes(lake: str) -> None:
    assert heeler("export", "--store", lake) == (0, TEXT + b"other\n", "")


def test_conditions_may_stand_in_one_argument_or_several(lake: str) -> None:
    assert heeler("export", "stream:s10 seq:1", "--store", lake)[1] == b"other\n"
    assert heeler("export", "stream:s10", "seq:1", "--store", lake)[1] == b"other\n"


def test_nothing_found_is_told(lake: str, tmp_path: Path) -> None:
    assert heeler("export", "stream:s", "--store", lake) == (1, b"", "heeler: No record matches.\n")
    assert heeler("ingest", "-", "--store", str(tmp_path))[0] == 0
    assert heeler("export", "--store", str(tmp_path)) == (1, b"", "heeler: There is no record in the store.\n")


def test_what_is_no_query_and_no_store_is_told(lake: str, tmp_path: Path) -> None:
    code, _, err = heeler("export", "steam:s1", "--store", lake)
    assert code == 1
    assert err.startswith("There is no field named 'steam', so it matches nothing. Did you mean 'stream'")

    code, _, err = heeler("export", "--store", str(tmp_path / "none"))
    assert code == 2
    assert f"There is no lake in {tmp_path / 'none'}" in err
    assert not (tmp_path / "none").exists()


def test_a_closed_pipe_ends_quietly(lake: str) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(command("export", "--store", lake), stdout=pipe, stderr=pipe, env=environment()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(5) == b"one\r\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 0
