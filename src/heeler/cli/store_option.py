"""The option that names the store, the same for every command that reads or writes one."""

from typing import Annotated

import typer

from heeler.cli.screens import notice
from heeler.store.lake import Lake
from heeler.store.opening import open_store, read_store
from heeler.store.reading import LakeReader

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="HEELER_STORE",
        help="The store, as lake:PATH. Default: HEELER_STORE, else lake: in your data directory.",
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


def reading(url: str) -> LakeReader:
    """Open a store for reading, and say what is set aside in it, as no answer holds that. Raises as `read_store`."""
    reader = read_store(url)
    for sentence in reader.damaged():
        notice(sentence)
    return reader
