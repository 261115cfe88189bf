"""`heeler run`."""

import asyncio
import os
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from heeler.cli.config_option import ConfigOption
from heeler.cli.store_option import StoreOption
from heeler.cli.stores import writing
from heeler.clock import SystemClock
from heeler.config.finding import found_configuration
from heeler.daemon.background import Starter
from heeler.daemon.configuration import Configured, configured
from heeler.daemon.own_log import own_log
from heeler.daemon.running import Daemon
from heeler.daemon.setup import Setup, setup_of, with_commands
from heeler.daemon.systemd import Systemd
from heeler.errors import Exit, HeelerError
from heeler.ingest.mirror import Mirror
from heeler.views.escape import printable
from heeler.views.report.appending import appending
from heeler.views.web.service import service


def run(
    config: ConfigOption = "",
    store: StoreOption = "",
    command: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COMMAND", help="Also read what this command writes; may be given again.", show_default=False
        ),
    ] = None,
    mirror: Annotated[
        str, typer.Option(metavar="DIR", help="Keep all lines as plain rotated files too.", show_default=False)
    ] = "",
    log: Annotated[str, typer.Option(metavar="FILE", help="Write Heeler's own log there.", show_default=False)] = "",
    ready_fd: Annotated[int, typer.Option(hidden=True)] = -1,
) -> int:
    """Collect in the foreground, as the configuration says, until interrupted.

    `heeler start` does the same in the background.
    """
    starter = Starter(ready_fd)
    try:
        path = found_configuration(config)
        first = configured(path)
        notice = own_log(Path(log) if log else None, printable, dated="JOURNAL_STREAM" not in os.environ)
        clock = SystemClock()

        def load(read: Configured | None = None) -> Setup:
            return with_commands(setup_of(read or configured(path)), command or ())

        with closing(writing(store or first.settings.store)) as lake:
            for sentence in lake.recovered:
                notice(sentence)
            daemon = Daemon(
                lake,
                load(first),
                clock,
                notice,
                load=load,
                mirror=Mirror(mirror, clock) if mirror else None,
                services=[service(first.settings.web.listen), appending(first.settings.report)],
                systemd=Systemd(),
                shown=printable,
            )
            asyncio.run(daemon.run(ready=lambda: starter.tell("ready")))
    except HeelerError as error:
        starter.tell(str(error))
        raise
    return Exit.DONE
