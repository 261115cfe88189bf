"""`heeler doctor`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from heeler.cli.config_option import ConfigOption
from heeler.cli.progress import shown
from heeler.clock import SystemClock
from heeler.config.finding import found_configuration
from heeler.daemon.canary import flown
from heeler.daemon.configuration import configured
from heeler.daemon.doctor import Finding, fares, findings, verification
from heeler.errors import ConfigurationError, Exit
from heeler.store.url import lake_folder
from heeler.views.escape import printable


def doctor(
    config: ConfigOption = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file of the store and compare its hash.")
    ] = False,
    canary: Annotated[
        bool, typer.Option("--canary", help="Send numbered lines through all of it, and look for each.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> int:
    """Look whether all is as Heeler needs it: permissions, port, disk, clock, store, and the daemon if one runs."""
    found: list[Finding] = []
    try:
        read = configured(found_configuration(config))
    except ConfigurationError as error:
        found += [Finding("configuration", fine=False, sentence=str(one).splitlines()[0]) for one in error.errors]
    else:
        found += findings(read, SystemClock(), fares)
        if verify:
            shown(verification(lake_folder(read.settings.store), found))
        if canary:
            found.append(flown(lake_folder(read.settings.store)))
    for one in found:
        state = "ok   " if one.fine else "wrong"
        print(json.dumps(asdict(one)) if as_json else printable(f"{state}  {one.check:<14} {one.sentence}"))
    return Exit.DONE if all(one.fine for one in found) else Exit.NOTHING_FOUND
