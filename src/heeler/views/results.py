"""Rows of any columns as a table, as JSON lines and as CSV: what `heeler sql` and `heeler stats` print."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Literal

import polars as pl

from heeler.views.escape import printable

WIDEST_CELL = 120
"""Characters of a cell in a table; JSON and CSV have all of it."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these begins what a spreadsheet would calculate, or send somewhere (CWE-1236)."""


def plain(frame: pl.DataFrame) -> tuple[list[str], list[list[object]]]:
    """Return the columns and rows of a frame, times as text with their zone, for the writers below."""
    rows = [[zoned(value) for value in row] for row in frame.iter_rows()]
    return frame.columns, rows


def zoned(value: object) -> object:
    """Return a value, and a time as text with its zone."""
    return f"{value.isoformat()}+00:00" if isinstance(value, datetime) else value


def written(
    how: Literal["table", "json", "csv"],
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    for_terminal: bool = False,
) -> Iterator[str]:
    """Yield the lines of what `as_table`, `as_json` or `as_csv` makes of the rows."""
    if how == "csv":
        return as_csv(columns, rows, for_terminal=for_terminal)
    return as_json(columns, rows) if how == "json" else as_table(columns, rows)


def as_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table; all rows are taken first, because the widest decides. Numbers stand right."""
    shown = [[_cell(value) for value in row] for row in rows]
    head = [_short(name) for name in columns]
    widths = [
        max(len(name), *(len(row[at][0]) for row in shown)) if shown else len(name) for at, name in enumerate(head)
    ]
    right = [bool(shown) and all(row[at][1] or not row[at][0] for row in shown) for at in range(len(head))]
    yield _line(head, widths, right)
    for row in shown:
        yield _line([text for text, _ in row], widths, right)


def as_json(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield one JSON object a row, in ASCII, with the newline."""
    for row in rows:
        yield json.dumps(dict(zip(columns, row, strict=True)), default=str) + "\n"


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]], *, for_terminal: bool = False) -> Iterator[str]:
    """Yield CSV as RFC 4180 has it, header first, in which no text is a formula: such text begins with a quote mark.

    For a terminal, what could act on it is written out.
    """
    for row in chain([columns], rows):
        out = io.StringIO()
        csv.writer(out).writerow([_guarded(value, for_terminal=for_terminal) for value in row])
        yield out.getvalue()


def _guarded(value: object, *, for_terminal: bool) -> object:
    if value is None or isinstance(value, int | float):
        return value
    text = _text(value)
    text = "'" + text if text.startswith(FORMULA) else text
    return printable(text) if for_terminal else text


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _cell(value: object) -> tuple[str, bool]:
    """Return what is shown of a value, and whether it is a number."""
    if value is None:
        return "", False
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return _short(_text(value)), is_number


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= WIDEST_CELL else shown[: WIDEST_CELL - 1] + "…"


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if is_right else cell.ljust(width)
        for cell, width, is_right in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(padded).rstrip() + "\n"
