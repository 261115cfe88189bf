"""`heeler sql`."""

import sys
from contextlib import closing
from typing import Annotated, Literal

import typer

from heeler.cli.screens import notice
from heeler.cli.store_option import StoreOption
from heeler.cli.stores import reading
from heeler.errors import Exit, UsageError
from heeler.units import duration_s

ROWS_IN_TABLE = 1000


def sql(
    statement: Annotated[str, typer.Argument(metavar="SELECT", help="One SELECT, or - for standard input.")],
    store: StoreOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV; text that begins a formula gets a ' before.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="Rows at most; 0 means all. Default: 1000 in a table, else all.", show_default=False),
    ] = None,
    timeout: Annotated[str, typer.Option(help="The query is stopped after this long.")] = "50s",
) -> int:
    """Ask the store in SQL, read-only: over access, log, logs (both), hits, rollup, streams and alerts.

    The dialect is DuckDB's. Times are UTC; duration is in microseconds; of log text nothing acts on the terminal.
    """
    # The engine and the parser take a while to import, and no other command needs them.
    from heeler.query.user_sql import checked  # noqa: PLC0415 - see above
    from heeler.store.sql import answered  # noqa: PLC0415 - see above
    from heeler.store.url import DEFAULT  # noqa: PLC0415 - see above
    from heeler.views import results  # noqa: PLC0415 - see above

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other; give one.")
    asked = checked(sys.stdin.read() if statement == "-" else statement)
    seconds = float(duration_s(timeout, "The timeout"))
    how: Literal["table", "json", "csv"] = "json" if as_json else "csv" if as_csv else "table"
    most = (ROWS_IN_TABLE if how == "table" else None) if limit is None else limit or None
    count = 0
    with (
        closing(reading(store or DEFAULT)) as reader,
        answered(reader, asked, timeout_s=seconds, limit=most) as answer,
    ):
        lines = results.written(how, answer.columns, answer.rows, for_terminal=sys.stdout.isatty())
        for count, line in enumerate(lines, 1 if as_json else 0):  # noqa: B007 - counts the rows, not the header
            sys.stdout.write(line)
        if answer.more:
            notice(f"Only the first {most:,} rows are shown; --limit 0 shows all.")
    return Exit.DONE if count else Exit.NOTHING_FOUND
