"""`heeler backup` and `heeler restore`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from heeler.cli.progress import shown
from heeler.cli.screens import notice
from heeler.cli.store_option import StoreOption
from heeler.errors import Exit
from heeler.store import backup as copies
from heeler.store.url import lake_folder
from heeler.views.escape import printable


def backup(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Where the copy goes; it must not exist or be empty.")],
    store: StoreOption = "",
) -> int:
    """Make a consistent copy of a lake, while others read it and one writes to it.

    On one disk the copy shares the files of the segments with the lake and takes no space of its own for them.
    """
    source = lake_folder(store)
    return _copied(f"The lake in {source} was copied to {folder}", copies.backup(source, Path(folder)), Path(folder))


def restore(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A copy that `heeler backup` made.")],
    store: StoreOption = "",
) -> int:
    """Make a lake of a copy. Its place, named by --store, must not exist or be empty."""
    target = lake_folder(store)
    return _copied(f"The lake in {target} was made of the copy {folder}", copies.restore(Path(folder), target), target)


def _copied(what: str, work: Iterator[str], made: Path) -> int:
    count = shown(work)
    notice(printable(f"{what}: {count:,} segments, every hash compared."))
    damaged = copies.damaged(made)
    for sentence in damaged:
        notice(printable(sentence))
    return Exit.NOTHING_FOUND if damaged else Exit.DONE
