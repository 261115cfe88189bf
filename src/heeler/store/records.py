"""Turning what a format gave into the rows of a table, and into what is counted of them."""

import numpy as np
import polars as pl

from heeler.formats.section import sections
from heeler.runs import runs_of
from heeler.store import Batch
from heeler.store.schema import FROM_LINE, FROM_LINE_BEFORE, FROM_RECEIVED, HITS, RECORD_TABLES, ROLLUP, Schema
from heeler.units import SECOND_US

MOST_SECTIONS = 1000
"""Sections counted by name per group and bucket; a site under attack has millions, which become `OTHER`."""

OTHER = "(other)"


def completed(batch: Batch, format_id: int) -> pl.DataFrame:
    """Return the rows of a batch with every column of their table but ``seq`` and ``head``, which the writer gives.

    A line without a time of its own has that of the line before it; ``time`` stays null where there is none before
    in this batch.
    """
    schema = RECORD_TABLES[batch.format.table]
    given = batch.records.columns
    time = pl.col("time") if "time" in given else pl.lit(None, pl.Datetime("us"))
    filled = time.forward_fill()
    made = {
        "time": filled,
        "time_from": pl.when(time.is_not_null())
        .then(FROM_LINE)
        .when(filled.is_not_null())
        .then(FROM_LINE_BEFORE)
        .otherwise(FROM_RECEIVED),
        "received": pl.lit(batch.received_us),
        "log_group": pl.lit(batch.group),
        "log_stream": pl.lit(batch.stream),
        "format": pl.lit(format_id),
    }
    # One select: each costs as much as a few thousand rows do.
    return batch.records.select(
        made.get(name, pl.col(name) if name in given else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )


def numbered(rows: pl.DataFrame, seqs: tuple[int, int], before_us: int | None) -> pl.DataFrame:
    """Give rows their ``seq``, and a time to those that have none yet.

    ``seqs`` has the seq of the first row and that of the second, from which on it rises by one. ``before_us`` is the
    time that a line before these rows told; without one the time is when the rows were received.
    """
    first, second = seqs
    seq = pl.when(pl.int_range(pl.len()) == 0).then(first).otherwise(pl.int_range(pl.len()) + (second - 1))
    rows = rows.with_columns(seq=seq.cast(pl.Int64))
    if before_us is None:
        return rows.with_columns(pl.col("time").fill_null(pl.col("received")))
    return rows.with_columns(
        time=pl.col("time").fill_null(pl.lit(before_us).cast(pl.Datetime("us"))),
        time_from=pl.when(pl.col("time").is_null()).then(pl.lit(FROM_LINE_BEFORE, pl.UInt8)).otherwise("time_from"),
    )


def counted(batch: Batch, records: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the rows of the tables ``hits`` and ``rollup`` for ``records`` of a batch.

    A format need not have every field that is counted by: without times the time of receiving counts.
    """
    if batch.format.table != "access":
        return {}
    absent = {
        "time": pl.lit(batch.received_us).cast(pl.Datetime("us")),
        "status": pl.lit(None, pl.UInt16),
        "bytes": pl.lit(None, pl.UInt64),
        "method": pl.lit(None, pl.String),
        "path": pl.lit(None, pl.String),
    }
    records = records.with_columns(**{name: one for name, one in absent.items() if name not in records.columns})
    return {"hits": hits_of(batch.group, records), "rollup": rollup_of(batch.group, records)}


def hits_of(group: str, records: pl.DataFrame) -> pl.DataFrame:
    """Return parsed requests per second, as rows of the table ``hits``."""
    seconds = records["time"].to_physical().to_numpy()[records["parsed"].to_numpy()] // SECOND_US
    heads, lines = runs_of(seconds)
    each, where = np.unique(seconds[heads], return_inverse=True)
    hits = np.bincount(where, lines, len(each)).astype(np.int64)
    counted = pl.DataFrame({"time": each * SECOND_US, "hits": hits})
    return counted.select(_typed({"time": HITS["time"]}), log_group=pl.lit(group), hits="hits")


def rollup_of(group: str, records: pl.DataFrame) -> pl.DataFrame:
    """Return requests and bytes per ten seconds, section and class of status, as rows of the table ``rollup``.

    Columns read: ``time``, ``section``, ``status``, ``bytes``, ``parsed``; where there is no ``section``, ``method``
    and ``path`` tell it.
    """
    if "section" not in records.columns:
        records = records.with_columns(section=pl.when(pl.col("path").is_not_null()).then(sections(records)))
    keys = {
        "time": pl.col("time").dt.truncate("10s"),
        "section": pl.col("section").fill_null(""),
        "class": (pl.col("status") // 100).cast(pl.UInt8).fill_null(0),
    }
    counted = (
        records.lazy()
        .filter("parsed")
        .group_by(*(key.alias(name) for name, key in keys.items()))
        .agg(hits=pl.len(), bytes=pl.col("bytes").sum())
    )
    rollup = counted.with_columns(log_group=pl.lit(group)).select(_typed(ROLLUP)).collect()
    return rollup if rollup.height <= MOST_SECTIONS else capped(rollup)


def capped(rollup: pl.DataFrame) -> pl.DataFrame:
    """Sum the rows of a rollup, the sections beyond the `MOST_SECTIONS` with most hits of each bucket as `OTHER`."""
    keys = [name for name in ROLLUP if name not in ("hits", "bytes")]
    sections = rollup.group_by("time", "log_group", "section").agg(pl.col("hits").sum())
    if sections.group_by("time", "log_group").len().filter(pl.col("len") > MOST_SECTIONS).height:
        place = sections.sort("hits", "section", descending=[True, False]).with_columns(
            place=pl.int_range(pl.len()).over("time", "log_group")
        )
        rest = place.filter(pl.col("place") >= MOST_SECTIONS).select(
            "time", "log_group", "section", other=pl.lit(OTHER)
        )
        rollup = rollup.join(rest, on=["time", "log_group", "section"], how="left")
        rollup = rollup.with_columns(section=pl.coalesce("other", "section"))
    return rollup.group_by(keys).agg(pl.col("hits", "bytes").sum()).select(_typed(ROLLUP))


def _typed(schema: Schema) -> list[pl.Expr]:
    return [pl.col(name).cast(dtype) for name, dtype in schema.items()]
