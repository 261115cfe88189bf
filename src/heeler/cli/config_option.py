"""The option `--config` and what it says of formats."""

import os
from pathlib import Path
from typing import Annotated

import typer

from heeler.errors import UsageError
from heeler.formats.choose import FORMATS, Formats
from heeler.formats.definitions import formats_in
from heeler.views.escape import printable

ConfigOption = Annotated[
    str,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Formats of your own, as [formats.NAME]. Default: HEELER_CONFIG, else ./heeler.toml where there is one.",
        show_default=False,
    ),
]

_DEFAULT = Path("heeler.toml")


def configured_formats(config: str) -> Formats:
    """Return all formats, those of the configuration first.

    Raises `UsageError` for a file that was named and is not there, or that cannot be understood.
    """
    named = config or os.environ.get("HEELER_CONFIG", "")
    path = Path(named) if named else _DEFAULT
    if not path.is_file():
        if named:
            raise UsageError(f"There is no configuration {printable(named)}; check --config and HEELER_CONFIG.")
        return FORMATS
    return Formats(formats_in(path, FORMATS))
