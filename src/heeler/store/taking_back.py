"""Taking back that records were counted, in the tables ``hits`` and ``rollup``: negative deltas."""

import polars as pl

from heeler.store.lake import Lake
from heeler.store.piece import Piece
from heeler.store.records import OTHER
from heeler.store.schema import ROLLUP_TABLES


def taken_back(lake: Lake, removed: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return the deltas, by table, that take back ``removed``: what was counted of the records that are deleted.

    A section that was counted as one of the others is taken back from those. Never is more taken back than was
    counted: counts that retention has dropped are not missed.
    """
    found = {}
    for table, rows in removed.items():
        counts = [name for name in ("hits", "bytes") if name in ROLLUP_TABLES[table]]
        keys = [name for name in ROLLUP_TABLES[table] if name not in counts]
        stored = _stored(lake, table, keys, counts, rows)
        summed = rows.group_by(keys).agg(pl.col(counts).sum())
        direct, rest = _taken(summed, stored, keys, counts)
        taken = [direct]
        if "section" in keys:
            others = rest.with_columns(section=pl.lit(OTHER)).group_by(keys).agg(pl.col(counts).sum())
            left = pl.concat([stored, direct.with_columns(-pl.col(counts))]).group_by(keys).agg(pl.col(counts).sum())
            taken.append(_taken(others, left, keys, counts)[0])
        deltas = pl.concat(taken).filter(pl.any_horizontal(pl.col(counts) != 0)).with_columns(-pl.col(counts))
        if deltas.height:
            schema = dict(ROLLUP_TABLES[table])
            found[table] = deltas.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    return found


def _taken(
    asked: pl.DataFrame, stored: pl.DataFrame, keys: list[str], counts: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return how much of what is ``asked`` for was stored under the same key, and how much was not."""
    both = asked.join(stored, on=keys, how="left", suffix="_stored")
    there = {name: pl.min_horizontal(name, pl.col(f"{name}_stored").fill_null(0)) for name in counts}
    direct = both.select(*keys, **there)
    rest = both.select(*keys, **{name: pl.col(name) - there[name] for name in counts})
    return direct, rest


def _stored(lake: Lake, table: str, keys: list[str], counts: list[str], rows: pl.DataFrame) -> pl.DataFrame:
    """Return the sums that are stored for the times and groups of ``rows``."""
    paths = lake.catalog.execute('select path from segment where "table" = ? and damage is null', (table,)).fetchall()
    blobs = lake.catalog.execute('select data from recent where "table" = ?', (table,)).fetchall()
    pieces = [Piece(table, lake.folder / path, None) for (path,) in paths] + [Piece(table, None, b) for (b,) in blobs]
    buckets = rows.select("time", "log_group").unique().lazy()
    empty = pl.LazyFrame(schema=dict(ROLLUP_TABLES[table]))
    whole = pl.concat([empty, *(piece.frame() for piece in pieces)])
    near = whole.join(buckets, on=["time", "log_group"], how="semi")
    return near.group_by(keys).agg(pl.col(counts).sum()).select(*keys, *counts).collect()
