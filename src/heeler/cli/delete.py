"""`heeler delete`."""

import sys
from contextlib import closing
from typing import Annotated

import typer

from heeler.cli.screens import notice
from heeler.cli.store_option import StoreOption, reading, writing
from heeler.clock import SystemClock
from heeler.errors import Exit, NothingFound, UsageError
from heeler.query.language import parse
from heeler.views.escape import printable


def delete(
    query: Annotated[list[str], typer.Argument(metavar="QUERY...", help="field:value, all of which must hold.")],
    store: StoreOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Remove the records that match for good. Replaced files are unlinked an hour later, with the next upkeep.

    A last line without a newline comes back when its file is read again.
    """
    # What rewrites segments takes a while to import, and no other command needs it.
    from heeler.store.deleting import Deletion  # noqa: PLC0415 - see above
    from heeler.store.opening import lake_folder  # noqa: PLC0415 - see above

    asked = parse(" ".join(query))
    if not asked.conditions:
        raise UsageError("`delete` needs a query, such as status:404; to remove everything, remove the lake.")
    reading(store).close()  # a lake that is not there is not made
    with closing(writing(store)) as lake:
        deletion = Deletion(lake, asked)
        count = deletion.count()
        if not count:
            raise NothingFound("No record matches; nothing was deleted.")
        if not yes:
            _ask(f"Delete {count:,} records that match {printable(str(asked))} from {lake_folder(store)} for good?")
        deleted = deletion.run(SystemClock().now_us())
        notice(f"{deleted.records:,} records were deleted; {deleted.segments:,} segments were written anew.")
        if deleted.damaged:
            notice(f"{deleted.damaged:,} segments are damaged and were not searched.")
    return Exit.DONE


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("`delete` asks before it deletes, and there is no terminal to ask on; give --yes.")
    typer.confirm(question, abort=True, err=True)
