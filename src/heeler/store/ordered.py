"""Segments as upkeep writes them: rows in the order that packs best, a row group at a time."""

import io
import json
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from heeler.store.records import capped
from heeler.store.schema import HITS, RECORD_TABLES, TABLES
from heeler.store.segment import METADATA_KEY, ROW_GROUP_ROWS, WrittenSegment, digest, make_durable_folder, sync
from heeler.store.token_filter import TokenFilters

ZSTD_LEVEL = 9
"""Merged segments are written once and read for a month; a tick cannot wait for this level, upkeep can."""

_RISING = ("time", "received", "seq")
"""Columns whose neighbours differ by little, so that differences take less space than values."""

_MAYBE_SCATTERED = "bytes"
"""A column that a site of files repeats, which a dictionary makes small, and a generated page does not."""

_HOUR_US = 3_600_000_000
_WHOSE = {"access": "client", "log": "program"}
"""Records are ordered by the hour, by this column, and by seq: lines of one writer resemble each other."""

_COUNTED = {"hits": ("log_group", "time"), "rollup": ("log_group", "time", "section", "class")}
"""What counts are ordered by."""


def joined(table: str, frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Join pieces of a table: records as they come, what was counted summed and capped."""
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
    return rows.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def order_of(table: str, rows: pl.DataFrame) -> pl.Series:
    """Return the numbers of the rows in the order in which they are to be written."""
    if table in _COUNTED:
        return rows.select(row=pl.arg_sort_by(*_COUNTED[table]))["row"]
    # Sorting texts of half a million rows takes longer than a slice may; most are the same few, so their ranks do.
    whose = _WHOSE[table]
    ranks = rows.select(whose).unique().sort(whose).with_row_index("rank")
    ranked = rows.select("time", "seq", whose).join(
        ranks, on=whose, how="left", nulls_equal=True, maintain_order="left"
    )
    hour = pl.col("time").to_physical() // _HOUR_US
    key = ranked.select((hour - hour.min()) * ranks.height + pl.col("rank").cast(pl.Int64)).to_series()
    return pl.Series("row", np.lexsort((ranked["seq"].to_numpy(), key.to_numpy())))


def write_ordered(
    root: Path, path: str, rows: pl.DataFrame, metadata: Mapping[str, object]
) -> Generator[None, None, WrittenSegment]:
    """Write ``rows`` to ``root/path`` in order, with a pause after each row group; durable when it returns.

    ``metadata`` names the ``table``. Rows are put in order a row group at a time, so that they are in memory once.
    """
    order = order_of(str(metadata["table"]), rows)
    yield
    target = root / path
    make_durable_folder(root, target.parent)
    level = pl.CompatLevel.oldest()
    is_scattered = _MAYBE_SCATTERED in rows.columns and rows[_MAYBE_SCATTERED].n_unique() > rows.height // 8
    plain = {*_RISING, *([_MAYBE_SCATTERED] if is_scattered else [])}
    schema = rows.clear().to_arrow(compat_level=level).schema
    try:
        with (
            pa.OSFile(str(target), "wb") as file,
            pq.ParquetWriter(
                file,
                schema,
                compression="zstd",
                compression_level=ZSTD_LEVEL,
                use_dictionary=[name for name in rows.columns if name not in plain],
                column_encoding={name: "DELTA_BINARY_PACKED" for name in _RISING if name in rows.columns},
            ) as writer,
        ):
            writer.add_key_value_metadata({METADATA_KEY: json.dumps(metadata, separators=(",", ":"))})
            filters = TokenFilters()
            for start in range(0, rows.height, ROW_GROUP_ROWS):
                group = rows[order.slice(start, ROW_GROUP_ROWS)]
                writer.write_table(group.to_arrow(compat_level=level))
                yield
                if metadata["table"] in RECORD_TABLES:
                    filters.add(group)
                    yield
            if metadata["table"] in RECORD_TABLES:
                # Behind the last row group and before the footer, which is written when the writer closes.
                file.write(filters.written())
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
