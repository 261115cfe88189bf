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
    """Write ``rows`` to ``root/path`` and return when file, name and every folder between are durable.

    A file that could not be written whole is taken away again: on a full disk it would be in the way.
    """
    target = root / path
    make_durable_folder(root, target.parent)
    try:
        rows.write_parquet(
            target,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            row_group_size=ROW_GROUP_ROWS,
            metadata={METADATA_KEY: json.dumps(metadata, separators=(",", ":"))},
        )
        sync(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
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


_durable_folders: set[Path] = set()


def make_durable_folder(root: Path, folder: Path) -> None:
    """Make ``folder`` and those between it and ``root``, which exists, and return when their names are on the disk.

    A folder that is there already may be one that a process made and was killed before it was on the disk. So each
    process waits for it once.
    """
    if folder == root or (folder in _durable_folders and folder.is_dir()):
        return
    make_durable_folder(root, folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync(folder.parent)
    _durable_folders.add(folder)


def to_blob(rows: pl.DataFrame) -> bytes:
    """Write a few rows as a compressed Arrow IPC stream."""
    return rows.write_ipc_stream(None, compression="zstd", compat_level=pl.CompatLevel.oldest()).getvalue()


def from_blob(blob: bytes) -> pl.DataFrame:
    """Read what `to_blob` wrote."""
    return pl.read_ipc_stream(blob)
