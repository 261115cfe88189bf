"""What a spreadsheet is told of each day: the rows of a report as plain values, and the file they are kept in."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from heeler.errors import UsageError
from heeler.store.reading import LakeReader
from heeler.store.searching import Keep
from heeler.views.escape import printable
from heeler.views.report.model import TABLES, Report, moment
from heeler.views.report.reading import ReportQuestion, read_report

MOST_DAYS = 366
DAY_US = 86_400_000_000

DAY_TABLES = ("traffic", "sections", "codes", "paths", "clients", "errors")
"""The tables that a day has; none of them holds whole lines."""

Cell = str | int | float | None
Rows = Sequence[Sequence[Cell]]


def days_of(reader: LakeReader, question: ReportQuestion, going_on: Keep) -> Iterator[tuple[str, Rows]]:
    """Yield each day (UTC) that the period touches, in their order, as ``2026-11-22`` and the rows about all of it.

    Raises `UsageError` for more than `MOST_DAYS`, and what `read_report` raises.
    """
    first = (question.since_us or 0) // DAY_US
    end = -(-(question.until_us if question.until_us is not None else question.now_us) // DAY_US)
    if end - first > MOST_DAYS:
        raise UsageError(f"These are {end - first:,} days, and {MOST_DAYS} can be sent at once: give a later --since.")
    for day in range(first, end):
        asked = replace(question, since_us=day * DAY_US, until_us=(day + 1) * DAY_US, tables=DAY_TABLES)
        yield f"{moment(day * DAY_US):%Y-%m-%d}", list(_rows(read_report(reader, asked, going_on)))


def _rows(report: Report) -> Iterator[Sequence[Cell]]:
    """Yield the figures of a day, then each table below its name, with an empty row before it."""
    yield "Requests", report.requests
    yield "Bytes", report.bytes
    yield "Error rate", round(report.error_rate, 4)
    for name in DAY_TABLES:
        frame = report.tables[name]
        yield ()
        yield (TABLES[name],)
        yield frame.columns
        for row in frame.iter_rows():
            yield [_cell(value) for value in row]


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, int | float):
        return value
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else printable(str(value))


def keep(days: Mapping[str, Rows], path: Path) -> None:
    """Write the rows of the days, in their order, as JSON: the whole file or, where that fails, none of it."""
    text = json.dumps({day: days[day] for day in sorted(days)}, indent=1) + "\n"
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="ascii")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
