"""`heeler export`."""

import sys
from contextlib import closing

from heeler.cli.query_option import QueryArgument, read_query, tell_unknown
from heeler.cli.store_option import StoreOption
from heeler.cli.stores import reading
from heeler.clock import SystemClock
from heeler.errors import Exit, NothingFound, UsageError


def export(
    query: QueryArgument = None,
    store: StoreOption = "",
) -> int:
    """Write records back as the exact lines they were, by stream and in the order of storing.

    With no query, everything: for one stream these are the bytes that were read.
    """
    asked = read_query(query, store)
    if asked.stages:
        raise UsageError("`export` writes lines; a query with | is for `search`.")
    found = False
    with closing(reading(store)) as reader:
        tell_unknown(reader, asked)
        for lines in reader.export(asked, SystemClock().now_us()):
            sys.stdout.buffer.write(lines)
            found = found or bool(lines)
    if not found:
        raise NothingFound("No record matches." if not asked.finds_all else "There is no record in the store.")
    sys.stdout.buffer.flush()
    return Exit.DONE
