"""The option `--config`, the same for every command that reads a configuration."""

from typing import Annotated

import typer

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
