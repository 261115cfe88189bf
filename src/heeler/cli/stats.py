"""`heeler stats`."""

import sys
from contextlib import closing
from typing import Annotated, Literal

import typer

from heeler.cli.query_option import QueryArgument, read_query, tell_unknown
from heeler.cli.screens import notice
from heeler.cli.store_option import StoreOption
from heeler.cli.stores import reading
from heeler.clock import SystemClock
from heeler.errors import Exit, NothingFound, UsageError
from heeler.query.period import moment_us
from heeler.units import whole_seconds
from heeler.views import results
from heeler.views.stats import BUCKET_S, StatsQuestion, stats

TOP = 20


def stats_command(
    query: QueryArgument = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Group by a field, section or class (of status); may be repeated."),
    ] = None,
    every: Annotated[str, typer.Option(metavar="DURATION", help="Group by intervals, such as 10s, 5m, 1h.")] = "",
    top: Annotated[int, typer.Option(min=0, help="Show the groups with most hits; 0 shows all.")] = TOP,
    percentiles: Annotated[str, typer.Option(metavar="FIELD", help="p50, p95 and p99 of bytes or duration (s).")] = "",
    since: Annotated[str, typer.Option(help="From then on: 2m, 1h, yesterday, 2026-11-22, 2026-11-22T10:00.")] = "",
    until: Annotated[str, typer.Option(help="Before then, in the same forms.")] = "",
    store: StoreOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV; text that begins a formula gets a ' before.")
    ] = False,
) -> int:
    """Count requests, their bytes and errors, by any field and interval. Times are UTC.

    With a field that only messages have, such as program, messages are counted.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other; give one.")
    asked = read_query(query, store)
    if asked.stages:
        raise UsageError("`stats` has options for what stands behind |; `search` takes it in the query.")
    every_s = whole_seconds(every, "The interval") if every else None
    now_us, step_us = SystemClock().now_us(), (every_s or BUCKET_S) * 1_000_000
    question = StatsQuestion(
        query=asked,
        by=tuple(by or ()),
        every_s=every_s,
        top=top,
        since_us=moment_us(since, now_us, "The start (--since)", step_us) if since else None,
        until_us=moment_us(until, now_us, "The end (--until)", step_us) if until else None,
        percentiles_of=percentiles,
        now_us=now_us,
    )
    with closing(reading(store)) as reader:
        tell_unknown(reader, asked)
        answer = stats(reader, question)
    if not answer.rows.height:
        raise NothingFound("Nothing matches, so there is nothing to count.")
    how: Literal["table", "json", "csv"] = "json" if as_json else "csv" if as_csv else "table"
    columns, rows = results.plain(answer.rows)
    sys.stdout.writelines(results.written(how, columns, rows, for_terminal=sys.stdout.isatty()))
    if answer.further:
        notice(f"{answer.further:,} further groups have fewer hits; --top 0 shows all.")
    return Exit.DONE
