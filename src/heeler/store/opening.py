"""Opening the store that a URL names."""

from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.store.url import lake_folder


def open_store(url: str) -> Lake:
    """Open the store that ``url`` names for writing. Raises what `lake_folder` and `Lake` raise."""
    return Lake(lake_folder(url))


def read_store(url: str) -> LakeReader:
    """Open the store that ``url`` names for reading. Raises what `lake_folder` and `LakeReader` raise."""
    return LakeReader(lake_folder(url))
