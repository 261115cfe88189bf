"""JSON and CSV of a report, read again by what reads them elsewhere."""

import csv
import io
import json
from collections.abc import Callable

import pytest

from heeler.views.report.data import as_csv, as_json
from heeler.views.report.model import TABLES, Report

Made = Callable[..., Report]

HOSTILE = '=HYPERLINK("http://192.0.2.1","x"),\r\n"'


@pytest.fixture
def report(made: Made) -> Report:
    return made([(HOSTILE, 4), ("/é", 3)], [(7, 2, 1), (0, 0, 0)])


def test_json_has_every_table_and_figure(report: Report) -> None:
    text = as_json(report)
    told = json.loads(text)

    assert text.isascii()
    assert text.count("\n") == 1
    assert list(told["tables"]) == list(report.tables)
    assert (told["requests"], told["bytes"], told["errors"], told["error_rate"]) == (10, 1000, 3, 0.3)
    assert (told["since"], told["until"]) == ("2026-11-22T10:00:00+00:00", "2026-11-22T10:00:20+00:00")
    assert told["tables"]["paths"] == [{"path": HOSTILE, "requests": 4}, {"path": "/é", "requests": 3}]
    assert [row["time"] for row in told["tables"]["traffic"]] == [
        "2026-11-22T10:00:00+00:00",
        "2026-11-22T10:00:10+00:00",
    ]


def test_a_table_as_csv_holds_no_formula(report: Report) -> None:
    rows = list(csv.reader(io.StringIO(as_csv(report, "paths"), newline="")))

    assert rows == [["path", "requests"], ["'" + HOSTILE, "4"], ["/é", "3"]]


def test_all_tables_as_csv_stand_one_below_the_other(report: Report) -> None:
    rows = list(csv.reader(io.StringIO(as_csv(report), newline="")))
    names = [row[0] for at, row in enumerate(rows) if row and (at == 0 or not rows[at - 1])]

    assert names == list(report.tables)
    assert set(names) == set(TABLES)
    assert rows[:2] == [["traffic"], report.tables["traffic"].columns]


def test_csv_on_a_terminal_is_written_out(report: Report) -> None:
    assert "\\x0d\\x0a" in as_csv(report, "paths", for_terminal=True)
