"""The option `--config`, the same for every command that reads a configuration."""

from typing import Annotated

import typer

from heeler.config.finding import found_configuration
from heeler.formats.choose import FORMATS, Formats
from heeler.formats.definitions import formats_in

ConfigOption = Annotated[
    str,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration. Default: HEELER_CONFIG, ./heeler.toml, that of the user, /etc/heeler/heeler.toml.",
        show_default=False,
    ),
]
"""Which file it names says `heeler.config.finding.found_configuration`."""


def configured_formats(config: str) -> Formats:
    """Return all formats, those of the configuration first.

    Raises `UsageError` for a file that was named and is not there, or that cannot be understood.
    """
    path = found_configuration(config)
    return Formats(formats_in(path, FORMATS)) if path else FORMATS
