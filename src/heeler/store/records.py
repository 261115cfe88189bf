"""Turning what a format gave into the rows of a table, and into what is counted of them."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from heeler.formats import Format, members_of, render
from heeler.formats.section import sections
from heeler.formats.severity import graded
from heeler.runs import runs_of
from heeler.store import Batch, Completed
from heeler.store.schema import FROM_LINE, FROM_LINE_BEFORE, FROM_RECEIVED, HITS, RECORD_TABLES, ROLLUP, Schema
from heeler.units import SECOND_US

LONGEST_RECORD = 1_000
"""So many lines are joined to one record at most."""

MOST_SECTIONS = 1000
"""Sections counted by name per group and bucket; a site under attack has millions, which become `OTHER`."""

OTHER = "(other)"


def complete(batch: Batch, format_ids: Sequence[int]) -> Completed:
    """Do for a batch what needs no order, where the members of its format have these ids."""
    members = dict(zip(format_ids, members_of(batch.format), strict=True))
    rows = completed(batch, format_ids)
    if not batch.unfinished_bytes:
        return Completed(batch, rows, counted(batch, batch.records), {}, members)
    finished, unfinished = batch.records.head(-1), batch.records.tail(1)
    return Completed(batch, rows, counted(batch, finished), counted(batch, unfinished), members)


def completed(batch: Batch, format_ids: Sequence[int]) -> pl.DataFrame:
    """Return the rows of a batch with every column of their tables but ``seq`` and ``head``, which the writer gives.

    ``format_ids`` are those of the format's members. A line without a time of its own has that of the line before it;
    ``time`` stays null where there is none before in this batch. A line whose own time cannot be has the time of
    receiving. One column more, ``continues``, tells which lines go on with the record before.
    """
    members = members_of(batch.format)
    schema = {name: dtype for member in members for name, dtype in RECORD_TABLES[member.table].items()}
    records = graded(batch.records)
    given = records.columns
    time = pl.col("time") if "time" in given else pl.lit(None, pl.Datetime("us"))
    filled = time.forward_fill()
    absurd = pl.col("absurd").fill_null(value=False) if "absurd" in given else pl.lit(value=False)
    received = pl.lit(batch.received_us).cast(pl.Datetime("us"))
    member = pl.col("member").replace_strict(dict(enumerate(format_ids)), return_dtype=pl.Int32)
    made = {
        "time": pl.when(absurd).then(received).otherwise(filled) if "absurd" in given else filled,
        "time_from": pl.when(absurd)
        .then(FROM_RECEIVED)
        .when(time.is_not_null())
        .then(FROM_LINE)
        .when(filled.is_not_null())
        .then(FROM_LINE_BEFORE)
        .otherwise(FROM_RECEIVED),
        "received": received,
        "log_group": pl.lit(batch.group),
        "log_stream": pl.lit(batch.stream),
        "format": member if "member" in given else pl.lit(format_ids[0]),
    }
    # One select: each costs as much as a few thousand rows do.
    return records.select(
        *(
            made.get(name, pl.col(name) if name in given else pl.lit(None)).cast(dtype).alias(name)
            for name, dtype in schema.items()
        ),
        continues=pl.col("continues") if "continues" in given else pl.lit(value=False),
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


def joined(rows: pl.DataFrame, head_before: int | None) -> pl.DataFrame:
    """Give lines that go on with a record its first ``seq`` as ``head``; after `LONGEST_RECORD` lines one begins anew.

    ``head_before`` is that of the record before these rows, None where there is none.
    """
    if not rows["continues"].any():
        return rows
    seq, continues = pl.col("seq"), pl.col("continues")
    begin = pl.when(~continues).then(seq).forward_fill().fill_null(pl.lit(head_before, pl.Int64))
    begin = seq - (seq - begin) % LONGEST_RECORD
    return rows.with_columns(head=pl.when(continues & (begin != seq)).then(begin).otherwise("head"))


def by_table(formats: Mapping[int, Format], rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return rows by the table that their formats are for, each with the columns of its table alone."""
    tables: dict[str, list[int]] = {}
    for key, known in formats.items():
        tables.setdefault(known.table, []).append(key)
    if len(tables) == 1:
        return {table: rows.select(list(RECORD_TABLES[table])) for table in tables}
    return {
        table: rows.filter(pl.col("format").is_in(keys)).select(list(RECORD_TABLES[table]))
        for table, keys in tables.items()
    }


def line_of(formats: Mapping[int, Format], rows: pl.DataFrame) -> bytes:
    """Return the line that the first of the rows is."""
    line: bytes = render(formats[int(rows["format"][0])], rows.head(1))[0]
    return line


def counted(batch: Batch, records: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the rows of the tables ``hits`` and ``rollup`` for ``records`` of a batch.

    A format need not have every field that is counted by: without times the time of receiving counts.
    """
    requests = requests_of(batch.format, records)
    if requests is None:
        return {}
    records = requests
    absent = {
        "time": pl.lit(batch.received_us).cast(pl.Datetime("us")),
        "status": pl.lit(None, pl.UInt16),
        "bytes": pl.lit(None, pl.UInt64),
        "method": pl.lit(None, pl.String),
        "path": pl.lit(None, pl.String),
    }
    records = records.with_columns(**{name: one for name, one in absent.items() if name not in records.columns})
    records = records.with_columns(pl.col("time").fill_null(absent["time"]))
    return {"hits": hits_of(batch.group, records), "rollup": rollup_of(batch.group, records)}


def requests_of(known: Format, records: pl.DataFrame) -> pl.DataFrame | None:
    """Return those of the records of a format that are of the table ``access``; None where it has no such records."""
    tables = [member.table for member in members_of(known)]
    if "access" not in tables:
        return None
    if "continues" in records.columns:
        records = records.filter(~pl.col("continues"))
    if "member" not in records.columns:
        return records
    return records.filter(pl.col("member").is_in([number for number, table in enumerate(tables) if table == "access"]))


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
