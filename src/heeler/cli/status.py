"""`heeler status`."""

import json
from typing import Annotated

import typer

from heeler.cli.config_option import ConfigOption
from heeler.cli.store_option import StoreOption
from heeler.daemon.background import ask
from heeler.daemon.status import Status
from heeler.errors import Exit
from heeler.store.url import lake_folder
from heeler.views.status import shown


def status(
    config: ConfigOption = "",  # noqa: ARG001 - see `StoreOption`
    store: StoreOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Show the process that collects and every source: alive, lag, lines, bytes, file sizes, last error."""
    told = ask(lake_folder(store), "status")
    told.pop("blobs", None)
    print(json.dumps(told) if as_json else shown(Status.read(told)))
    return Exit.DONE
