"""A report as a workbook (XLSX): figures and charts on the first sheet, and a sheet for each table.

Text is written as text, whatever it begins with. Text that would be a formula if somebody typed it also has the mark
that keeps it text when it is edited (CWE-1236).
"""

import io
from collections.abc import Iterator
from datetime import UTC, datetime

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from heeler.views.escape import printable
from heeler.views.report.model import CLASSES, TABLES, Report
from heeler.views.results import FORMULA

LONGEST_TEXT = 32_000
"""A cell holds 32,767 characters."""

_SUMMARY = "Report"
_COLOURS = {"1xx": "#8250DF", "2xx": "#2DA44E", "3xx": "#218BFF", "4xx": "#D4A72C", "5xx": "#CF222E", "none": "#8C959F"}
_WIDE, _NARROW = 44, 14
_FIRST_DAY = datetime(1900, 3, 1, tzinfo=UTC)
"""Spreadsheets count days from about here, and disagree about those before."""


def as_xlsx(report: Report) -> bytes:
    """Return the file. The same report gives the same bytes."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.set_properties({"title": printable(report.title), "created": report.until})
        _Book(book, report).write()
    return out.getvalue()


class _Book:
    def __init__(self, book: xlsxwriter.Workbook, report: Report) -> None:
        self._book = book
        self._report = report
        self._bold = book.add_format({"bold": True})
        self._date = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
        self._quoted = book.add_format({"quote_prefix": True})

    def write(self) -> None:
        first = self._book.add_worksheet(_SUMMARY)
        first.set_column(0, 0, _NARROW * 2)
        self._cell(first, 0, 0, self._report.title, self._bold)
        for row, (name, value) in enumerate(self._figures(), start=2):
            self._cell(first, row, 0, name)
            self._cell(first, row, 1, value)
        for name, title in TABLES.items():
            self._table(self._book.add_worksheet(title), name)
        if self._report.tables["traffic"].height:
            self._charts(first)

    def _figures(self) -> Iterator[tuple[str, object]]:
        report = self._report
        yield "From (UTC)", report.since.replace(tzinfo=None)
        yield "To (UTC)", report.until.replace(tzinfo=None)
        yield "Requests", report.requests
        yield "Requests a second", report.requests_per_s
        yield "Bytes", report.bytes
        yield "Error rate", report.error_rate

    def _table(self, sheet: Worksheet, name: str) -> None:
        frame = self._report.tables[name]
        for column, heading in enumerate(frame.columns):
            sheet.set_column(column, column, _NARROW if frame.dtypes[column].is_numeric() else _WIDE)
            self._cell(sheet, 0, column, heading, self._bold)
        sheet.freeze_panes(1, 0)
        for row, values in enumerate(frame.iter_rows(), start=1):
            for column, value in enumerate(values):
                self._cell(sheet, row, column, value)

    def _cell(self, sheet: Worksheet, row: int, column: int, value: object, style: Format | None = None) -> None:
        if isinstance(value, datetime) and value.replace(tzinfo=UTC) >= _FIRST_DAY:
            sheet.write_datetime(row, column, value, self._date)
        elif isinstance(value, int | float):
            sheet.write_number(row, column, value, style)
        elif value is not None:
            text = str(value)
            style = self._quoted if text.startswith(FORMULA) else style
            sheet.write_string(row, column, printable(text)[:LONGEST_TEXT], style)

    def _charts(self, sheet: Worksheet) -> None:
        frame = self._report.tables["traffic"]
        title = TABLES["traffic"]
        bars = self._book.add_chart({"type": "column", "subtype": "stacked"})
        for name in CLASSES:
            if frame[name].sum():
                bars.add_series(self._series(title, name, {"fill": {"color": _COLOURS[name]}, "gap": 10}))
        bars.set_title({"name": f"Requests in {self._report.every_s} s, by class of status"})
        line = self._book.add_chart({"type": "line"})
        line.add_series(self._series(title, "error_rate", {"line": {"color": _COLOURS["5xx"]}}))
        line.set_title({"name": "Share of errors"})
        line.set_legend({"none": True})
        for number, chart in enumerate((bars, line)):
            chart.set_size({"width": 900, "height": 320})
            chart.set_x_axis({"date_axis": False, "num_format": "mm-dd hh:mm", "text_axis": True})
            sheet.insert_chart(10 + number * 17, 0, chart)

    def _series(self, sheet: str, column: str, look: dict[str, object]) -> dict[str, object]:
        frame = self._report.tables["traffic"]
        at = frame.columns.index(column)
        return {
            "name": column,
            "categories": [sheet, 1, 0, frame.height, 0],
            "values": [sheet, 1, at, frame.height, at],
            **look,
        }
