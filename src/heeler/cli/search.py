"""`heeler search`."""

import sys
from contextlib import closing
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
    wanted,
)
from heeler.cli.records import How, print_records, print_summary
from heeler.cli.screens import notice
from heeler.cli.store_option import StoreOption
from heeler.cli.stores import reading
from heeler.clock import SystemClock
from heeler.errors import Exit, UsageError
from heeler.store.saved import save_search
from heeler.store.searching import Search
from heeler.store.url import lake_folder

LIMIT_ON_TERMINAL = 1000


def search(
    query: QueryArgument = None,
    since: Since = "",
    until: Until = "",
    limit: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="The newest so many; 0 means all. Default: 1000 on a terminal, else all.",
            show_default=False,
        ),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print the exact lines and nothing else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print what | counts as CSV.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Print how many records match, and nothing else.")] = False,
    context: Annotated[int, typer.Option(min=0, help="Show so many neighbours in the same stream.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is stored from now on.")] = False,
    archived: Annotated[bool, typer.Option("--archived", help="Search the archive as well.")] = False,
    save: Annotated[
        str, typer.Option(metavar="NAME", help="Save the query: @NAME means it then. An empty query removes it.")
    ] = "",
    timeout: Timeout = LONGEST_QUERY,
    store: StoreOption = "",
) -> int:
    """Find records, the newest last: by words, fields, regexes and times; or count what is found.

    `heeler search error status:5xx since:2h`, `heeler search 'firefox | top path'`. docs/search.md has the language.
    """
    if archived:
        raise UsageError("There is no archive to search yet; leave out --archived.")
    if save:
        return _save(save, " ".join(query or []), store)
    if sum((raw, as_json, as_csv, count)) > 1:
        raise UsageError("--raw, --json, --csv and --count exclude each other; give one.")
    asked = read_query(query, store)
    if asked.stages and (count or context or follow):
        raise UsageError("A query with | is an answer by itself; --count, --context and --follow do not go with it.")
    if follow and count:
        raise UsageError("--follow and --count exclude each other; give one.")
    if asked.summary and raw:
        raise UsageError("--raw prints lines, and this query counts; leave it out.")
    if as_csv and not asked.summary:
        raise UsageError("--csv prints what is counted, such as '| count by status'; --json prints records.")
    clock = SystemClock()
    with closing(reading(store)) as reader:
        what = wanted(asked, since, until, clock)
        seconds, going_on = deadline(timeout, clock)
        tell_unknown(reader, asked)
        found = Search(reader, what, going_on)
        if asked.summary:
            return print_summary(found, asked, "json" if as_json else "csv" if as_csv else "table", seconds)
        if count:
            return _print_count(found, limit or 0)
        shown = (LIMIT_ON_TERMINAL if sys.stdout.isatty() else 0) if limit is None else limit
        how = How("json" if as_json else "raw" if raw else "text", shown, context, follow)
        return print_records(reader, found, how, seconds)


def _save(name: str, text: str, store: str) -> int:
    folder = lake_folder(store)
    save_search(folder, name, text)
    notice(f"@{name} means {text} now." if text else f"The saved search {name!r} was removed.")
    return Exit.DONE


def _print_count(found: Search, limit: int) -> int:
    number = found.count()
    number = min(number, limit) if limit else number
    print(number)
    return Exit.DONE if number else Exit.NOTHING_FOUND
