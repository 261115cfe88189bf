"""Opening the store that `--store` names, and saying what people must know of it."""

from heeler.cli.screens import notice
from heeler.daemon.remote import RemoteStore
from heeler.store import Store
from heeler.store.lake import Lake
from heeler.store.lock import Locked
from heeler.store.opening import open_store, read_store
from heeler.store.reading import LakeReader
from heeler.store.url import lake_folder


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
