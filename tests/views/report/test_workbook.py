"""The workbook, opened again by another library."""

import io
from collections.abc import Callable
from dataclasses import replace

import openpyxl
import polars as pl
import pytest
from openpyxl.workbook import Workbook

from heeler.views.report.model import TABLES, Report
from heeler.views.report.workbook import as_xlsx

Made = Callable[..., Report]

FORMULAS = ["=1+1", '=HYPERLINK("http://192.0.2.1")', "+1", "-1", "@SUM(A1)", "\t=1", "https://192.0.2.1/", "12", "/ok"]


@pytest.fixture
def report(made: Made) -> Report:
    return made([(text, len(FORMULAS) - at) for at, text in enumerate(FORMULAS)], [(7, 2, 1), (3, 0, 0)])


def opened(data: bytes) -> Workbook:
    return openpyxl.load_workbook(io.BytesIO(data))


def test_each_table_is_a_sheet_with_its_values(report: Report) -> None:
    book = opened(as_xlsx(report))

    assert book.sheetnames == ["Report", *TABLES.values()]
    for name, title in TABLES.items():
        if name != "paths":
            rows = list(book[title].iter_rows(values_only=True))
            assert rows[0] == tuple(report.tables[name].columns)
            assert rows[1:] == report.tables[name].rows()


def test_text_is_text_whatever_it_begins_with(report: Report) -> None:
    sheet = opened(as_xlsx(report))[TABLES["paths"]]
    cells = [row[0] for row in sheet.iter_rows(min_row=2)]

    assert [cell.value for cell in cells] == [text.replace("\t", " ") for text in FORMULAS]
    assert {cell.data_type for cell in cells} == {"s"}
    assert [cell.quotePrefix for cell in cells] == [text[0] in "=+-@\t" for text in FORMULAS]
    assert [cell.hyperlink for cell in cells] == [None] * len(FORMULAS)
    assert {cell.data_type for row in sheet.iter_rows(min_row=2, min_col=2) for cell in row} == {"n"}


def test_the_first_sheet_has_the_figures_and_charts_of_the_traffic(report: Report) -> None:
    sheet = opened(as_xlsx(report))["Report"]
    figures = {row[0].value: row[1].value for row in sheet.iter_rows(min_row=3, max_row=8)}

    assert (figures["Requests"], figures["Bytes"]) == (13, 1300)
    assert figures["Error rate"] == pytest.approx(3 / 13)
    charts = sheet._charts  # type: ignore[attr-defined]  # where openpyxl keeps what it read
    series = [one.val.numRef.f for chart in charts for one in chart.series]
    assert series == [
        "'Traffic over time'!$G$2:$G$3",
        "'Traffic over time'!$I$2:$I$3",
        "'Traffic over time'!$J$2:$J$3",
        "'Traffic over time'!$E$2:$E$3",
    ]
    header = [cell.value for cell in opened(as_xlsx(report))["Traffic over time"][1]]
    assert [header["ABCDEFGHIJK".index(ref[21])] for ref in series] == ["2xx", "4xx", "5xx", "error_rate"]


def test_the_same_report_is_the_same_file(report: Report) -> None:
    assert as_xlsx(report) == as_xlsx(report)


def test_what_no_cell_can_hold_is_cut_or_written_out(report: Report) -> None:
    long = "x" * 40_000 + "\x00\x1b\ufffe"
    paths = pl.DataFrame([(long, 1), ("a\x00\x0bb", 2)], schema={"path": pl.String, "requests": pl.Int64}, orient="row")
    sheet = opened(as_xlsx(replace(report, tables={**report.tables, "paths": paths})))[TABLES["paths"]]

    assert sheet["A2"].value == "x" * 32_000
    assert sheet["A3"].value == "a\\x00\\x0bb"


def test_a_period_without_requests_is_a_workbook(made: Made) -> None:
    assert opened(as_xlsx(made([], [])))["Report"]["B5"].value == 0
