"""Segments: immutable Parquet files, written so that they are on the disk before anybody is told of them."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

ROW_GROUP_ROWS = 120_000
ZSTD_LEVEL = 3
METADATA_KEY = "heeler"
"""Under this key the metadata of each file holds what it takes to make its catalog rows again."""


@dataclass(frozen=True, slots=True)
class WrittenSegment:
    """A segment that is durable: its file and the directory entry have reached the disk."""

    path: str
    bytes: int
    sha256: str


def write_segment(root: Path, path: str, rows: pl.DataFrame, metadata: Mapping[str, object]) -> WrittenSegment:
    """Write ``rows`` to ``root/path`` and return when file, name and every new folder above it are durable."""
    target = root / path
    _make_durable_folder(root, target.parent)
    rows.write_parquet(
        target,
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        row_group_size=ROW_GROUP_ROWS,
        metadata={METADATA_KEY: json.dumps(metadata, separators=(",", ":"))},
    )
    sync(target)
    sync(target.parent)
    return WrittenSegment(path, target.stat().st_size, digest(target))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_durable_folder(root: Path, folder: Path) -> None:
    missing = []
    while folder != root and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        sync(one.parent)


def to_blob(rows: pl.DataFrame) -> bytes:
    """Write a few rows as a compressed Arrow IPC stream."""
    return rows.write_ipc_stream(None, compression="zstd", compat_level=pl.CompatLevel.oldest()).getvalue()


def from_blob(blob: bytes) -> pl.DataFrame:
    """Read what `to_blob` wrote."""
    return pl.read_ipc_stream(blob)
