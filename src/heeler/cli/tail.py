"""`heeler tail`."""

from contextlib import closing
from typing import Annotated

import typer

from heeler.cli.query_option import LONGEST_QUERY, QueryArgument, Since, deadline, read_query, tell_unknown, wanted
from heeler.cli.records import How, print_records
from heeler.cli.store_option import StoreOption
from heeler.cli.stores import reading
from heeler.clock import SystemClock
from heeler.errors import UsageError
from heeler.store.searching import Search

LINES = 10


def tail(
    query: QueryArgument = None,
    since: Since = "",
    limit: Annotated[int, typer.Option(min=0, help="Begin with the newest so many; 0 means all.")] = LINES,
    raw: Annotated[bool, typer.Option("--raw", help="Print the exact lines and nothing else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    store: StoreOption = "",
) -> int:
    """Show the newest records that match, and go on with what is stored from now on: `search --follow`."""
    if raw and as_json:
        raise UsageError("--raw and --json exclude each other; give one.")
    asked = read_query(query, store)
    if asked.stages:
        raise UsageError("A query with | is an answer by itself and cannot be followed; leave out what is behind |.")
    clock = SystemClock()
    with closing(reading(store)) as reader:
        seconds, going_on = deadline(LONGEST_QUERY, clock)
        tell_unknown(reader, asked)
        found = Search(reader, wanted(asked, since, "", clock), going_on)
        how = How("json" if as_json else "raw" if raw else "text", limit, follow=True)
        return print_records(reader, found, how, seconds)
