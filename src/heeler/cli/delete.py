"""`heeler delete`."""

import sys
from contextlib import closing
from typing import Annotated

import typer

from heeler.cli.query_option import read_query
from heeler.cli.screens import notice
from heeler.cli.store_option import StoreOption
from heeler.cli.stores import reading, writing
from heeler.clock import SystemClock
from heeler.errors import Exit, NothingFound, UsageError
from heeler.views.escape import printable


def delete(
    query: Annotated[list[str], typer.Argument(metavar="QUERY...", help="What to delete; see `heeler search`.")],
    store: StoreOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Remove the records that match for good. Replaced files are unlinked an hour later, with the next upkeep.

    A last line without a newline comes back when its file is read again.
    """
    # What rewrites segments takes a while to import, and no other command needs it.
    from heeler.store.deleting import Deletion  # noqa: PLC0415 - see above
    from heeler.store.url import lake_folder  # noqa: PLC0415 - see above
    from heeler.views.unknown import unknown_fields  # noqa: PLC0415 - see above

    asked = read_query(query, store)
    if asked.stages:
        raise UsageError("`delete` takes a query without |.")
    if asked.finds_all:
        raise UsageError("`delete` needs a query, such as status:404; to remove everything, remove the lake.")
    with closing(reading(store)) as reader:  # a lake that is not there is not made
        # Here a mistake would be for good: -steam:web1 keeps every record.
        if unknown := unknown_fields(reader, asked):
            raise UsageError(printable(" ".join(unknown)))
    with closing(writing(store)) as lake:
        now_us = SystemClock().now_us()
        deletion = Deletion(lake, asked, now_us)
        count = deletion.count()
        if not count:
            raise NothingFound("No record matches; nothing was deleted.")
        if not yes:
            _ask(f"Delete {count:,} records that match {printable(str(asked))} from {lake_folder(store)} for good?")
        deleted = deletion.run(now_us)
        notice(f"{deleted.records:,} records were deleted; {deleted.segments:,} segments were written anew.")
        if deleted.damaged:
            notice(f"{deleted.damaged:,} segments are damaged and were not searched.")
    return Exit.DONE


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("`delete` asks before it deletes, and there is no terminal to ask on; give --yes.")
    typer.confirm(question, abort=True, err=True)
