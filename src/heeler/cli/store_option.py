"""The option that names the store, the same for every command that reads or writes one."""

from pathlib import Path
from typing import Annotated

import typer

from heeler.config.document import read_document
from heeler.config.finding import found_configuration


def _or_configured(context: typer.Context, value: str) -> str:
    """Return the store that was named, else that of the configuration, whose folder its path is relative to."""
    path = None if value else found_configuration(context.params.get("config") or "")
    url = read_document(path).values.get("store", "") if path else value
    if not path or not isinstance(url, str) or not url:  # what is no text is told by whoever reads all of it
        return value
    place = url.removeprefix("lake:")
    return f"lake:{Path(path.absolute().parent, Path(place).expanduser())}" if place else url


StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="HEELER_STORE",
        help="The store, as lake:PATH. Default: HEELER_STORE, that of the configuration, lake: in your data directory.",
        callback=_or_configured,
        show_default=False,
        show_envvar=False,
    ),
]
"""Its default is `heeler.store.url.DEFAULT`; an empty text means the same. It looks for the configuration by itself,
at that of the option `--config` where the command has one."""
