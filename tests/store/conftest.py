"""Batches from bytes, as whoever feeds a lake makes them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from heeler.formats import Format
from heeler.formats.choose import PLAIN
from heeler.formats.lines import split
from heeler.query.language import parse
from heeler.store import Batch
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader

RECEIVED_US = 1_750_000_000_000_000

Batches = Callable[..., Batch]
Export = Callable[..., bytes]


def batch_of(
    data: bytes,
    *,
    offset: int = 0,
    part: str = "/var/log/app.log",
    source: str = "file",
    group: str = "app",
    stream: str = "web.1",
    format: Format = PLAIN,  # noqa: A002 - the word of the glossary, and of the field it fills
    received_us: int = RECEIVED_US,
    unfinished_bytes: int = 0,
    piece: bool = False,
) -> Batch:
    records = format.parse(split(data), {*format.columns, "section"})
    position = {"offset": offset}
    return Batch(
        source, part, position, group, stream, format, records, received_us, len(data), unfinished_bytes, piece
    )


def export_of(lake: Path, query: str = "") -> bytes:
    reader = LakeReader(lake)
    try:
        return b"".join(reader.export(parse(query)))
    finally:
        reader.close()


@pytest.fixture
def batch() -> Batches:
    return batch_of


@pytest.fixture
def export() -> Export:
    return export_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a lake can be made: not there yet."""
    return tmp_path / "state" / "lake"


@pytest.fixture
def lake(folder: Path) -> Lake:
    return Lake(folder)
