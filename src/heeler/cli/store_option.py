"""The option that names the store, the same for every command that reads or writes one."""

from pathlib import Path
from typing import Annotated

import typer

from heeler.cli.screens import notice
from heeler.config.document import read_document
from heeler.config.finding import found_configuration
from heeler.daemon.remote import RemoteStore
from heeler.store import Store
from heeler.store.lake import Lake
from heeler.store.lock import Locked
from heeler.store.opening import lake_folder, open_store, read_store
from heeler.store.reading import LakeReader


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
"""Its default is `heeler.store.opening.DEFAULT`; an empty text means the same."""


def writing(url: str) -> Lake:
    """Open a store for writing, and say what had to be recovered. Raises what `open_store` raises."""
    lake = open_store(url)
    for sentence in lake.recovered:
        notice(sentence)
    return lake


def adding(url: str, who: str) -> Store:
    """Open a store to add lines to it: by way of the process that collects, where one does.

    ``who`` is the command, for that process to tell. Raises what `open_store` raises.
    """
    try:
        return writing(url)
    except Locked as locked:
        try:
            return RemoteStore(lake_folder(url), who)
        except ConnectionRefusedError:
            raise locked from None


def reading(url: str) -> LakeReader:
    """Open a store for reading, and say what is set aside in it, as no answer holds that. Raises as `read_store`."""
    reader = read_store(url)
    for sentence in reader.damaged():
        notice(sentence)
    return reader
