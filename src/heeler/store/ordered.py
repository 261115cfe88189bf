"""Segments as upkeep writes them: rows in the order that packs best, a row group at a time."""

import io
import json
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from heeler.store.records import capped
from heeler.store.schema import HITS, RECORD_TABLES, TABLES
from heeler.store.segment import METADATA_KEY, ROW_GROUP_ROWS, WrittenSegment, digest, make_durable_folder, sync

ZSTD_LEVEL = 9
"""Merged segments are written once and read for a month; a tick cannot wait for this level, upkeep can."""

_RISING = ("time", "received", "seq")
"""Columns whose neighbours differ by little, so that differences take less space than values."""

_SCATTERED = ("bytes",)
"""Columns of which no dictionary would come out smaller than they are."""

_ORDER: Mapping[str, tuple[pl.Expr | str, ...]] = {
    "access": (pl.col("time").dt.truncate("1h"), "client", "seq"),
    "log": (pl.col("time").dt.truncate("1h"), "program", "seq"),
    "hits": ("log_group", "time"),
    "rollup": ("log_group", "time", "section", "class"),
}


def in_order(table: str, frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Join pieces of a table: records in the order that packs best, what was counted summed and capped."""
    schema = TABLES[table]
    whole = [
        frame.with_columns(
            pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns
        ).select(list(schema))
        for frame in frames
    ]
    rows = pl.concat(whole)
    if table not in RECORD_TABLES:
        rows = rows.group_by("time", "log_group").agg(pl.col("hits").sum()) if schema is HITS else capped(rows)
        # What was counted and taken back leaves nothing to tell.
        rows = rows.filter(pl.any_horizontal(pl.col(name) != 0 for name in ("hits", "bytes") if name in schema))
    return rows.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).sort(*_ORDER[table])


def write_ordered(
    root: Path, path: str, rows: pl.DataFrame, metadata: Mapping[str, object]
) -> Generator[None, None, WrittenSegment]:
    """Write ``rows`` to ``root/path`` with a pause after each row group; durable when it returns."""
    target = root / path
    make_durable_folder(root, target.parent)
    level = pl.CompatLevel.oldest()
    schema = rows.clear().to_arrow(compat_level=level).schema
    try:
        with pq.ParquetWriter(
            target,
            schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=[name for name in rows.columns if name not in (*_RISING, *_SCATTERED)],
            column_encoding={name: "DELTA_BINARY_PACKED" for name in _RISING if name in rows.columns},
        ) as writer:
            writer.add_key_value_metadata({METADATA_KEY: json.dumps(metadata, separators=(",", ":"))})
            for start in range(0, rows.height, ROW_GROUP_ROWS):
                writer.write_table(rows.slice(start, ROW_GROUP_ROWS).to_arrow(compat_level=level))
                yield
        sync(target)
    except BaseException:
        target.unlink(missing_ok=True)  # on a full disk it would be in the way
        raise
    sync(target.parent)
    return WrittenSegment(path, target.stat().st_size, digest(target))


def metadata_of(file: Path | io.BytesIO) -> dict[str, Any]:
    """Return what a segment says of itself. Raises `ValueError` where it is none, or its end cannot be read."""
    try:
        found = pl.read_parquet_metadata(file).get(METADATA_KEY, "")
    except pl.exceptions.PolarsError as error:
        raise ValueError(str(error)) from error
    metadata = json.loads(found)
    if not isinstance(metadata, dict):
        raise ValueError(METADATA_KEY)  # noqa: TRY004 - the file is wrong, not the caller
    return metadata
