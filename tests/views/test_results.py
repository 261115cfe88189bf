"""Rows as a table, as JSON lines and as CSV: what log text holds must not act on whoever looks at it."""

import csv
import io
import json
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.views.escape import printable
from heeler.views.results import WIDEST_CELL, as_csv, as_json, as_table, plain

ROWS = [["a", 1, None], ["longer", 22.5, True]]


def test_a_table_is_aligned_and_numbers_stand_right() -> None:
    assert "".join(as_table(["name", "n", "x"], ROWS)) == (
        "name       n  x\n"
        "a          1\n"
        "longer  22.5  True\n"
    )  # fmt: skip


def test_a_table_without_rows_has_its_header() -> None:
    assert list(as_table(["a", "b"], [])) == ["a  b\n"]


def test_a_wide_cell_is_cut_in_a_table_alone() -> None:
    assert "".join(as_table(["a"], [["x" * 500]])).endswith("x" * (WIDEST_CELL - 1) + "…\n")
    assert json.loads("".join(as_json(["a"], [["x" * 500]]))) == {"a": "x" * 500}
    assert "".join(as_csv(["a"], [["x" * 500]])) == "a\r\n" + "x" * 500 + "\r\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_sheet_would_calculate_gets_a_quote_mark(start: str) -> None:
    rows = list(
        csv.reader(io.StringIO("".join(as_csv([start + "head"], [[start + "1+1"], ["a" + start]])), newline=""))
    )
    assert rows == [["'" + start + "head"], ["'" + start + "1+1"], ["a" + start]]


def test_numbers_in_csv_stay_numbers_and_nothing_is_empty() -> None:
    assert "".join(as_csv(["a", "b", "c"], [[-1, -2.5, None]])) == "a,b,c\r\n-1,-2.5,\r\n"


def test_lists_and_objects_are_written_as_json() -> None:
    assert "".join(as_csv(["a"], [[{"b": [1, "é"]}]])) == 'a\r\n"{""b"": [1, ""é""]}"\r\n'
    assert list(as_table(["a"], [[[1, None]]])) == ["a\n", "[1, null]\n"]


@given(st.text(), st.text())
def test_nothing_in_a_table_or_in_csv_for_a_terminal_acts_on_it(name: str, text: str) -> None:
    for line in (*as_table([name], [[text]]), *as_csv([name], [[text]], for_terminal=True)):
        assert printable(line) == line.rstrip("\r\n")


@given(st.lists(st.lists(st.one_of(st.none(), st.integers(), st.text()), min_size=2, max_size=2)))
def test_json_lines_are_read_back(rows: list[list[object]]) -> None:
    lines = list(as_json(["a", "b"], rows))
    assert [list(json.loads(line).values()) for line in lines] == rows
    assert all(line.isascii() and line.count("\n") == 1 for line in lines)


def test_times_have_their_zone() -> None:
    frame = pl.DataFrame({"time": [datetime(2026, 11, 22, 10, 0, 5)], "n": [1]})  # noqa: DTZ001 - as a store has them
    assert plain(frame) == (["time", "n"], [["2026-11-22T10:00:05+00:00", 1]])
