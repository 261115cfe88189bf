"""The option `--zone`."""

from typing import Annotated

import typer

ZoneOption = Annotated[
    str,
    typer.Option(
        metavar="ZONE",
        help="The zone of times that name none, as Europe/Berlin or +02:00. Default: UTC.",
        show_default=False,
    ),
]
