"""`heeler init`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from heeler.cli.screens import notice
from heeler.config.finding import NAME
from heeler.daemon.example import example_text
from heeler.daemon.systemd_unit import unit_text
from heeler.errors import EnvironmentFailed, Exit, UsageError
from heeler.views.escape import printable


def init(
    file: Annotated[
        str,
        typer.Argument(
            metavar="[FILE]", help="Where to write; - is standard output. Default: heeler.toml, or - for a unit."
        ),
    ] = "",
    systemd: Annotated[
        bool, typer.Option("--systemd", help="Write a unit for systemd in place of a configuration.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> int:
    """Write a commented heeler.toml with every setting, or with --systemd the unit that runs it as a service."""
    text = unit_text(Path(sys.executable).parent / "heeler") if systemd else example_text()
    name = file or ("-" if systemd else NAME)
    if name == "-":
        print(text, end="")
        return Exit.DONE
    shown = printable(name)
    try:
        with Path(name).open("w" if force else "x", encoding="utf-8") as written:
            written.write(text)
    except FileExistsError as error:
        raise UsageError(f"{shown} is there already; --force writes over it.") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise EnvironmentFailed(f"{shown} cannot be written: {why}.") from error
    notice(f"{shown} is written." + ("" if systemd else " Everything in it is commented out; `heeler check` reads it."))
    return Exit.DONE
