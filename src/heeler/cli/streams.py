"""`heeler streams`."""

import json
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from heeler.cli.store_option import StoreOption
from heeler.cli.stores import reading
from heeler.errors import Exit, NothingFound
from heeler.store.reading import StreamInfo
from heeler.views.escape import printable

_HEADINGS = ("group", "stream", "source", "first", "last", "lines", "bytes")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def streams(
    store: StoreOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> int:
    """List groups and streams with their source, the times of their first and last line, lines and bytes."""
    with closing(reading(store)) as reader:
        found = reader.streams()
    if not found:
        raise NothingFound("There is no stream in the store yet; `heeler ingest FILE` makes one.")
    if as_json:
        for one in found:
            times = {"first": _time(one.first_time_us, "T"), "last": _time(one.last_time_us, "T")}
            named = {"group": one.group, "stream": one.stream, "source": one.source}
            row = {**named, **times, "lines": one.lines, "bytes": one.bytes}
            print(json.dumps(row))
    elif sys.stdout.isatty():
        _print_table([_row(one) for one in found])
    else:
        _print_plain([_row(one) for one in found])
    return Exit.DONE


def _row(one: StreamInfo) -> tuple[str, ...]:
    times = (_time(one.first_time_us, " ") or "-", _time(one.last_time_us, " ") or "-")
    named = (printable(one.group), printable(one.stream), printable(one.source or "-"))
    return (*named, *times, f"{one.lines:,}", f"{one.bytes:,}")


def _time(us: int | None, separator: str) -> str | None:
    return None if us is None else (_EPOCH + timedelta(microseconds=us)).isoformat(separator, "seconds")


def _print_plain(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    for row in (_HEADINGS, *rows):
        cells = [cell.rjust(width) if at >= 5 else cell.ljust(width) for at, (cell, width) in _numbered(row, widths)]
        print("  ".join(cells).rstrip())


def _numbered(row: tuple[str, ...], widths: list[int]) -> "enumerate[tuple[str, int]]":
    return enumerate(zip(row, widths, strict=True))


def _print_table(rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - takes a while to import, and a pipe needs none
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    table = Table()
    for at, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="right" if at >= 5 else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
