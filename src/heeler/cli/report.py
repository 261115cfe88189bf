"""`heeler report`."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from heeler.cli.query_option import (
    LONGEST_QUERY,
    QueryArgument,
    Since,
    Timeout,
    Until,
    deadline,
    read_query,
    tell_unknown,
)
from heeler.cli.store_option import StoreOption
from heeler.cli.stores import reading
from heeler.clock import SystemClock
from heeler.errors import EnvironmentFailed, Exit, UsageError
from heeler.query.period import moment_us
from heeler.units import SECOND_US
from heeler.views.escape import printable
from heeler.views.report.data import as_csv
from heeler.views.report.model import TABLES, Report
from heeler.views.report.reading import ROWS, ReportQuestion, read_report
from heeler.views.report.text import BRIEF, as_text
from heeler.views.report.writing import FORMATS
from heeler.views.stats import BUCKET_S


def report(
    query: QueryArgument = None,
    since: Since = "",
    until: Until = "",
    how: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{', '.join(FORMATS)}. Default: as FILE ends, else text.",
            show_default=False,
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    out: Annotated[str, typer.Option(metavar="FILE", help="Write it there, in place of what is there.")] = "",
    top: Annotated[int, typer.Option(min=1, max=1000, help="Rows of each list.")] = ROWS,
    table: Annotated[str, typer.Option(metavar="TABLE", help=f"CSV of one table: {', '.join(TABLES)}.")] = "",
    short: Annotated[bool, typer.Option("--short", help="Text of paths and error rate alone.")] = False,
    cow: Annotated[bool, typer.Option("--cow", help="With a cow before the text.")] = False,
    timeout: Timeout = LONGEST_QUERY,
    store: StoreOption = "",
) -> int:
    """Make a report of a period: traffic, status, paths, clients, errors, alerts. Times are UTC.

    Without --since and --until it is about everything in the store.
    """
    how = _format(how, out, as_json=as_json)
    _check(how, table, to_file=bool(out), of_text=short or cow)
    asked = read_query(query, store)
    clock = SystemClock()
    now_us, step_us = clock.now_us(), BUCKET_S * SECOND_US
    since_us = moment_us(since, now_us, "The start (--since)", step_us) if since else None
    until_us = moment_us(until, now_us, "The end (--until)", step_us) if until else None
    if since_us is not None and until_us is not None and since_us >= until_us:
        raise UsageError("The period is turned round: --until is not after --since.")
    with closing(reading(store)) as reader:
        tell_unknown(reader, asked)
        tables = (table,) if table else BRIEF if short and how == "text" else tuple(TABLES)
        question = ReportQuestion(asked, since_us, until_us, top, now_us, tables)
        made = read_report(reader, question, deadline(timeout, clock)[1])
    _write(_written(made, how, out, table, short=short, cow=cow), out)
    return Exit.DONE


def _format(how: str, out: str, *, as_json: bool) -> str:
    if as_json and how not in ("", "json"):
        raise UsageError("--json and --format exclude each other; give one.")
    ending = Path(out).suffix.removeprefix(".").lower()
    named = "json" if as_json else how or (ending if ending in FORMATS else "text")
    if named not in FORMATS:
        raise UsageError(f"A report cannot be written as {named!r}; there are {', '.join(FORMATS)}.")
    return named


def _check(how: str, table: str, *, to_file: bool, of_text: bool) -> None:
    if of_text and how != "text":
        raise UsageError("--short and --cow are for text.")
    if table and how != "csv":
        raise UsageError("--table is for CSV; every other format has all tables.")
    if table and table not in TABLES:
        raise UsageError(f"A report has no table {table!r}; there are {', '.join(TABLES)}.")
    if how == "xlsx" and not to_file and sys.stdout.isatty():
        raise UsageError("A workbook is no text for a terminal; --out FILE says where to write it.")


def _written(made: Report, how: str, out: str, table: str, *, short: bool, cow: bool) -> bytes:
    if how == "text":
        written: str | bytes = as_text(made, short=short, cow=cow)
    elif how == "csv":
        written = as_csv(made, table, for_terminal=not out and sys.stdout.isatty())
    else:
        written = FORMATS[how](made)
    return written.encode() if isinstance(written, str) else written


def _write(data: bytes, out: str) -> None:
    if not out:
        sys.stdout.buffer.write(data)
        return
    try:
        Path(out).write_bytes(data)
    except OSError as error:
        raise EnvironmentFailed(f"{printable(out)} cannot be written: {error.strerror}.") from error
