"""Batches as sources give them, and what a lake holds of them, for all tests of this room."""

from collections.abc import Sequence
from pathlib import Path

from heeler.formats import Format
from heeler.formats.choose import PLAIN
from heeler.formats.lines import split
from heeler.model import Position, SourceEvent
from heeler.query.language import parse
from heeler.store import Batch
from heeler.store.reading import LakeReader

RECEIVED_US = 1_790_000_000_000_000


def batch(
    data: bytes,
    *,
    source: str = "file",
    part: str = "part",
    position: Position | None = None,
    known: Format = PLAIN,
    unfinished_bytes: int = 0,
    piece: bool = False,
    events: Sequence[SourceEvent] = (),
    keys: Sequence[str] = (),
) -> Batch:
    """Return the lines of ``data`` as a batch; without a ``position`` it is how many bytes there are."""
    return Batch(
        source,
        part,
        {"offset": len(data)} if position is None else position,
        "group",
        f"stream of {part}",
        known,
        known.parse(split(data), {*known.columns, "section"}),
        RECEIVED_US,
        len(data),
        unfinished_bytes,
        piece,
        tuple(events),
        tuple(keys),
    )


def stored(folder: Path, query: str = "") -> bytes:
    """Return the bytes that come out of the lake in ``folder``."""
    reader = LakeReader(folder)
    try:
        return b"".join(reader.export(parse(query)))
    finally:
        reader.close()
