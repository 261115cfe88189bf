"""`heeler store`."""

from contextlib import closing
from enum import StrEnum
from typing import Annotated

import typer

from heeler.cli.progress import shown
from heeler.cli.screens import notice
from heeler.cli.store_option import StoreOption
from heeler.clock import SystemClock
from heeler.errors import Exit
from heeler.store.opening import open_store
from heeler.store.schema import CATALOG, TABLES, VERSION
from heeler.store.upkeep import Upkeep
from heeler.views.escape import printable


class Action(StrEnum):
    """What can be done with a store."""

    SCHEMA = "schema"
    MIGRATE = "migrate"
    UPKEEP = "upkeep"


def store_command(
    action: Annotated[Action, typer.Argument(help="What to do.", show_default=False)],
    url: Annotated[str, typer.Argument(metavar="[URL]", help="The store, as --store has it.", show_default=False)] = "",
    store: StoreOption = "",
) -> int:
    """Show the schema; bring a store up to date; or merge, order, verify and unlink garbage now.

    While upkeep runs by hand nobody may be reading: files that were replaced are removed at once.
    """
    if action is Action.SCHEMA:
        return _schema()
    with closing(open_store(url or store)) as lake:
        for sentence in lake.recovered:
            notice(printable(sentence))
        if action is Action.MIGRATE:
            notice(printable(f"The lake in {lake.folder} has schema {VERSION}, the newest that this Heeler knows."))
            return Exit.DONE
        upkeep = Upkeep(lake)
        shown(upkeep.everything(SystemClock().now_us()))
        for sentence in upkeep.notes:
            notice(printable(sentence))
        damaged = lake.catalog.execute("select count(*) from segment where damage is not null").fetchone()[0]
    if damaged:
        notice(f"{damaged:,} segments are damaged; what they hold is not served until their files are whole again.")
    return Exit.NOTHING_FOUND if damaged else Exit.DONE


def _schema() -> int:
    print(f"-- Schema {VERSION}. The tables of records and counts are Parquet files:")
    for table, columns in TABLES.items():
        print(f"{table} ({', '.join(f'{name} {dtype}' for name, dtype in columns.items())})")
    print(f"-- The catalog is SQLite:{CATALOG}", end="")
    return Exit.DONE
