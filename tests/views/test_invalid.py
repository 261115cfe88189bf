"""Lines that did not parse: every one is told, counted or kept."""

import io
import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.errors import EnvironmentFailed, UsageError
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.lines import split
from heeler.views.invalid import SAMPLE, InvalidLines

GOOD = b'127.0.0.1 - - [09/May/2018:16:00:39 +0000] "GET / HTTP/1.0" 200 1\n'


def records(data: bytes) -> pl.DataFrame:
    return ACCESS_FORMATS["common"].parse(split(data), {"time"})


def told(how: str, *intervals: Iterable[bytes]) -> str:
    stderr = io.StringIO()
    invalid = InvalidLines(how, stderr)
    for interval in intervals:
        for data in interval:
            invalid.write(records(data))
        invalid.interval()
    invalid.close()
    return stderr.getvalue()


LINES = st.lists(st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"") + b"\n"), max_size=8)


@given(pieces=st.lists(LINES, max_size=4), end=st.sampled_from([b"", b"x", b"\r", b"\xff"]))
def test_a_file_gets_the_exact_bytes_after_what_it_held(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[list[bytes]], end: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "invalid.log"
    path.write_bytes(b"before\n")
    stderr = io.StringIO()
    invalid = InvalidLines(str(path), stderr)

    for piece in pieces:
        invalid.write(records(GOOD + b"".join(piece) + GOOD))
    invalid.write(records(GOOD + end))
    assert path.read_bytes() == b"before\n" + b"".join(map(b"".join, pieces)) + end, "before it is closed"
    invalid.close()

    assert stderr.getvalue() == ""


def test_all_are_told_escaped_and_each_in_one_row() -> None:
    assert told("all", [b"a\x1b[0m\rb\r\n" + GOOD + b"\xff\x00\n" * 20]) == (
        "invalid: a\\x1b[0m\\x0db\n" + "invalid: \\xff\\x00\n" * 20
    )


def test_a_sample_is_told_of_each_interval_with_the_number_left_out() -> None:
    shown = told("sample", [b"a\n" * 3, b"b\n" * 1003], [], [b"c\n"], [b"d\n" * 6])

    assert shown.count("invalid: a\n") == 3
    assert shown.count("invalid: b\n") == SAMPLE - 3
    assert shown.count("invalid: c\n") == 1
    assert shown.count("invalid: d\n") == SAMPLE
    assert re.findall(r"and ([\d,]+) more", shown) == ["1,001", "1"]


def test_the_number_left_out_is_told_also_at_the_end() -> None:
    stderr = io.StringIO()
    invalid = InvalidLines("sample", stderr)
    invalid.write(records(b"a\n" * 9))
    assert "more" not in stderr.getvalue()

    invalid.close()

    assert stderr.getvalue().endswith("invalid: … and 4 more (--invalid all shows every one)\n")


def test_none_tells_nothing() -> None:
    assert told("none", [b"a\n" * 100], [b"b\n"]) == ""


def test_lines_that_parse_are_never_told() -> None:
    assert told("all", [GOOD * 3]) == ""


@pytest.mark.parametrize("name", ["", "missing/invalid.log"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(EnvironmentFailed, match=r"for invalid lines cannot be written: .*\. Name a file"):
        InvalidLines(str(tmp_path / name), io.StringIO())


def test_a_word_that_is_almost_one_of_the_known_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UsageError, match="did you mean 'all'"):
        InvalidLines("al", io.StringIO())

    assert list(tmp_path.iterdir()) == []
