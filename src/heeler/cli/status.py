"""`heeler status`."""

import json
from typing import Annotated

import typer

from heeler.cli.config_option import ConfigOption
from heeler.cli.store_option import StoreOption
from heeler.config.finding import found_configuration
from heeler.daemon.background import ask
from heeler.daemon.configuration import configured
from heeler.daemon.status import Status
from heeler.errors import Exit
from heeler.store.opening import lake_folder
from heeler.views.status import shown


def status(
    config: ConfigOption = "",
    store: StoreOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Show the process that collects and every source: alive, lag, lines, bytes, file sizes, last error."""
    folder = lake_folder(store or configured(found_configuration(config)).settings.store)
    told = ask(folder, "status")
    told.pop("blobs", None)
    print(json.dumps(told) if as_json else shown(Status.read(told)))
    return Exit.DONE
