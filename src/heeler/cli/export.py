"""`heeler export`."""

import sys
from contextlib import closing
from typing import Annotated

import typer

from heeler.cli.store_option import StoreOption, reading
from heeler.errors import Exit, NothingFound
from heeler.query.language import parse


def export(
    query: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUERY]...", help="field:value, all of which must hold.", show_default=False),
    ] = None,
    store: StoreOption = "",
) -> int:
    """Write records back as the exact lines they were, by stream and in the order of storing.

    With no query, everything: for one stream these are the bytes that were read.
    """
    asked = parse(" ".join(query or []))
    found = False
    with closing(reading(store)) as reader:
        for lines in reader.export(asked):
            sys.stdout.buffer.write(lines)
            found = found or bool(lines)
    if not found:
        raise NothingFound("No record matches." if asked.conditions else "There is no record in the store.")
    sys.stdout.buffer.flush()
    return Exit.DONE
