"""Batches from bytes, as whoever feeds a lake makes them."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from heeler.formats import Format
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.choose import PLAIN
from heeler.formats.lines import split
from heeler.query.language import parse
from heeler.store import Batch, Tick, plan
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.store.schema import RECORD_TABLES, TABLES
from heeler.store.upkeep import Upkeep

RECEIVED_US = 1_750_000_000_000_000

MEMORY_BYTES = 4 << 30

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
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is much of it: thousands of commits wait for no disk there.

    What the disk has after a power cut is proven elsewhere, by the system calls that were made.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a file system, not a name that somebody could guess
    if not memory.is_dir() or shutil.disk_usage(memory).free < MEMORY_BYTES:
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="heeler-tests-", dir=memory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a lake can be made: not there yet."""
    return tmp_path / "state" / "lake"


@pytest.fixture
def lake(folder: Path) -> Lake:
    return Lake(folder)


class Feed:
    """Commits ticks of numbered lines to two streams, and knows what must come back."""

    def __init__(self) -> None:
        self.now_us = RECEIVED_US
        self.number = 0
        self.written: dict[str, bytes] = {"web": b"", "app": b""}

    def batch(self, stream: str, rows: int, unfinished: bytes = b"") -> Batch:
        numbers = range(self.number, self.number + rows)
        self.number += rows
        write = _access_line if stream == "web" else _log_line
        data = b"".join(map(write, numbers)) + unfinished
        known = ACCESS_FORMATS["combined"] if stream == "web" else PLAIN
        position = len(self.written[stream]) + len(data) - len(unfinished)
        self.written[stream] += data
        return batch_of(
            data,
            offset=position,
            part=stream,
            stream=stream,
            format=known,
            received_us=self.now_us,
            unfinished_bytes=len(unfinished),
        )

    def tick(self, lake: Lake, web: int = 40, app: int = 5, seconds: float = 1) -> None:
        """Commit one tick, so many seconds after the one before."""
        lake.commit(Tick(tuple(self.batch(name, rows) for name, rows in (("web", web), ("app", app)) if rows)))
        self.now_us += round(seconds * 1e6)

    def check(self, folder: Path) -> None:
        """Compare every byte of both streams with what was written."""
        for name, data in self.written.items():
            assert export_of(folder, f"stream:{name}") == data


def _access_line(number: int) -> bytes:
    second, user = number // 7 % 86_400, number * 7919 % 50
    at = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    path = f"/s{number * 31 % 9}/{number}"
    line = f'10.0.0.{user} - - [10/Jun/2025:{at} +0000] "GET {path} HTTP/1.1" {200 + number % 3 * 102} {number} "-" "a"'
    return (line if number % 11 else f"no request, number {number} \x01").encode() + b"\n"


def _log_line(number: int) -> bytes:
    return b"\xff message %d" % number + (b"\r\n" if number % 3 else b"\n")


def everything_in(folder: Path) -> dict[str, pl.DataFrame]:
    """Return all rows of all tables with every column, records in order of seq and counts summed."""
    reader = LakeReader(folder)
    try:
        found = {}
        for table, schema in TABLES.items():
            frames = [piece.frame().collect() for piece in reader.pieces([table])]
            rows = pl.concat([pl.DataFrame(schema=dict(schema)), *frames])
            if table in RECORD_TABLES:
                found[table] = rows.sort("log_group", "log_stream", "seq")
            else:
                keys = [name for name in schema if name not in {"hits", "bytes"}]
                summed = rows.group_by(keys).agg(pl.exclude(keys).sum()).sort(keys)
                found[table] = summed.filter(pl.col("hits") != 0)
        return found
    finally:
        reader.close()


def same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> bool:
    """Tell whether two lakes hold the same, in every column of every row."""
    return one.keys() == other.keys() and all(one[table].equals(other[table]) for table in one)


def drained(upkeep: Upkeep, now_us: int) -> None:
    """Let upkeep do all that is due at one instant."""
    while upkeep.step(now_us, 60):
        pass


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def contents() -> Callable[[Path], dict[str, pl.DataFrame]]:
    return everything_in


@pytest.fixture
def equal() -> Callable[[dict[str, pl.DataFrame], dict[str, pl.DataFrame]], bool]:
    return same


@pytest.fixture
def drain() -> Callable[[Upkeep, int], None]:
    return drained


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a segment of every few rows, so that a short test has many."""
    monkeypatch.setattr(plan, "FEWEST_SEGMENT_ROWS", 30)
