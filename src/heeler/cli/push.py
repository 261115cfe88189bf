"""`heeler push`."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from heeler.cli.query_option import (
    LONGEST_QUERY,
    QueryArgument,
    Timeout,
    Until,
    deadline,
    read_query,
    tell_unknown,
)
from heeler.cli.screens import notice
from heeler.cli.store_option import StoreOption
from heeler.cli.stores import reading
from heeler.clock import SystemClock
from heeler.errors import EnvironmentFailed, Exit, UsageError
from heeler.query.period import moment_us
from heeler.views.escape import printable
from heeler.views.report.days import days_of, keep
from heeler.views.report.reading import ROWS, ReportQuestion
from heeler.views.report.sheets import Spreadsheet, send


def push(
    spreadsheet: Annotated[
        str, typer.Argument(metavar="SPREADSHEET", help="The id of a spreadsheet of Google Sheets.")
    ],
    query: QueryArgument = None,
    key: Annotated[
        str, typer.Option(metavar="FILE", help="The key file of a service account.", show_default=False)
    ] = "",
    since: Annotated[str, typer.Option(help="From that day on: yesterday, 7d, 2026-11-22.")] = "yesterday",
    until: Until = "",
    top: Annotated[int, typer.Option(min=1, max=1000, help="Rows of each list.")] = ROWS,
    out: Annotated[
        str, typer.Option(metavar="FILE", help="Where the same is written first, as JSON.")
    ] = "heeler-days.json",
    endpoint: Annotated[str, typer.Option(metavar="URL", help="Another address of the service.")] = "",
    timeout: Timeout = LONGEST_QUERY,
    store: StoreOption = "",
) -> int:
    """Send a report of each day (UTC) to Google Sheets, a sheet a day; a day that is there already is replaced.

    Needs `pip install 'heeler[gdrive]'`.
    """
    asked = read_query(query, store)
    clock = SystemClock()
    now_us = clock.now_us()
    since_us = moment_us(since, now_us, "The start (--since)")
    until_us = moment_us(until, now_us, "The end (--until)") if until else now_us
    if since_us >= until_us:
        raise UsageError("The period is turned round: --until is not after --since.")
    with closing(reading(store)) as reader:
        tell_unknown(reader, asked)
        question = ReportQuestion(asked, since_us, until_us, top, now_us)
        days = dict(days_of(reader, question, deadline(timeout, clock)[1]))
    try:
        keep(days, Path(out))
    except OSError as error:
        raise EnvironmentFailed(f"{printable(out)} cannot be written: {error.strerror}.") from error
    send(Spreadsheet(spreadsheet, key, endpoint), days)
    notice(printable(f"{len(days)} days were sent; they are in {out} too."))
    return Exit.DONE
