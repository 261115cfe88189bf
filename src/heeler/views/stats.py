"""Statistics over the records of a store: how many, how large, how many errors, by any field and interval.

Requests are counted while they are stored, in buckets of ten seconds by section, class of status and group. Where
that is enough for a question, no record is read; the answer is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from heeler.errors import EnvironmentFailed, UsageError
from heeler.formats.section import sections
from heeler.query.fields import DERIVED, FIELDS, field_named, meant
from heeler.query.frame import as_expression
from heeler.query.tree import And, Condition, Equal, Query, field_of, leaves
from heeler.store.reading import LakeReader
from heeler.store.schema import RECORD_TABLES, TABLES
from heeler.store.summed_columns import STEM

BUCKET_S = 10
"""The length of a bucket of the table ``rollup``."""

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MEASURED = ("bytes", "duration")
"""What percentiles may be asked of: bytes, and the duration in seconds."""

_OF_ROLLUP = {"section": "section", "class": "class", "group": "log_group"}
_ERRORS = (4, 5)
_ALL = Query()
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class StatsQuestion:
    """What is asked for. ``top`` 0 means all groups; the interval begins at multiples of ``every_s`` since 1970.

    Times in the query count from ``now_us``.
    """

    query: Query = _ALL
    by: tuple[str, ...] = ()
    every_s: int | None = None
    top: int = 0
    since_us: int | None = None
    until_us: int | None = None
    percentiles_of: str = ""
    now_us: int = 0


@dataclass(frozen=True, slots=True)
class Stats:
    """The answer. ``further`` groups had fewer hits than those in ``rows``; ``from_rollup`` tells what was read.

    Columns are ``time`` (the start of the interval) if there is one, the fields grouped by, then ``hits``, ``bytes``
    and ``error_rate`` (the share of answers with status 400 and above) and percentiles, or ``records`` of the table
    ``log``.
    """

    rows: pl.DataFrame
    further: int
    from_rollup: bool


def stats(reader: LakeReader, question: StatsQuestion, *, rollup: bool = True) -> Stats:
    """Answer a question. Raises `UsageError` for fields that no record has; ``rollup`` false reads records always."""
    table = table_of(question)
    from_rollup = rollup and table == "access" and is_counted(question)
    try:
        found = _of_rollup(reader, question) if from_rollup else _of_records(reader, question, table)
        rows = found.collect(engine="streaming")
    except (OSError, pl.exceptions.ComputeError) as error:
        raise EnvironmentFailed(
            f"A segment of the lake in {reader.folder} cannot be read: {error}. `heeler store upkeep` names what is "
            "damaged and serves the rest."
        ) from error
    count = "hits" if table == "access" else "records"
    rows, further = _top(rows, question, count)
    return Stats(_shown(rows, question, count), further, from_rollup)


def table_of(question: StatsQuestion) -> str:
    """Return the table that has all fields of a question: ``access`` where several do."""
    known = [*FIELDS, *DERIVED]
    for field in question.by:
        if field not in known:
            hint = meant(field, known) or f" Known are {', '.join(known)}."
            raise UsageError(f"There is no field named {field!r} to group by.{hint}")
    if question.percentiles_of not in ("", *MEASURED):
        raise UsageError(f"Percentiles are of {' or '.join(MEASURED)}, not of {question.percentiles_of!r}.")
    asked = (field_of(leaf) for leaf in leaves(question.query.where))
    fields = [*question.by, *(field for field in asked if field is not None)]
    requests = set(DERIVED) & set(fields) or question.percentiles_of
    for table, schema in RECORD_TABLES.items():
        has_all = all(field_named(field).column in schema or field in DERIVED for field in fields)
        if has_all and (table == "access" or not requests):
            return table
    raise UsageError(f"No kind of record has all of {', '.join(dict.fromkeys(fields))}: requests and messages differ.")


def is_counted(question: StatsQuestion) -> bool:
    """Tell whether what is counted while storing is enough to answer, which is much faster."""
    edges = (question.since_us, question.until_us)
    return (
        set(question.by) <= set(_OF_ROLLUP)
        and all(isinstance(part, Equal) and part.field == "group" for part in _conjunction(question.query))
        and not question.percentiles_of
        and (question.every_s or BUCKET_S) % BUCKET_S == 0
        and all(edge is None or edge % (BUCKET_S * _SECOND_US) == 0 for edge in edges)
    )


def _conjunction(query: Query) -> tuple[Condition, ...]:
    return query.where.parts if isinstance(query.where, And) else (query.where,)


def _of_rollup(reader: LakeReader, question: StatsQuestion) -> pl.LazyFrame:
    rows = _pieces(reader, "rollup")
    for part in _conjunction(question.query):
        if isinstance(part, Equal):
            rows = rows.filter(pl.col("log_group") == part.value)
    keys = _interval(question) | {field: pl.col(_OF_ROLLUP[field]) for field in question.by}
    errors = pl.col("hits").filter(pl.col("class").is_in(_ERRORS)).sum()
    summed = _grouped(
        _within(rows, question), keys, [pl.col("hits").sum(), pl.col("bytes").sum(), errors.alias("errors")]
    )
    # What was deleted is taken back by negative counts.
    return summed.filter(pl.col("hits") > 0)


def _of_records(reader: LakeReader, question: StatsQuestion, table: str) -> pl.LazyFrame:
    rows = _pieces(reader, table)
    schema = pl.Schema(dict(TABLES[table]))
    matching = as_expression(question.query.where, schema, reader.formats(), table, question.now_us)
    if table == "access" and question.query.value_of("parsed") is None:
        matching &= pl.col("parsed")
    rows = _within(rows.filter(matching), question)
    names = {number: known.name for number, known in reader.formats().items()}
    derived = {
        "section": _section(),
        "stem": STEM,
        "class": (pl.col("status") // 100).cast(pl.UInt8).fill_null(0),
        "format": pl.col("format").replace_strict(names, default=None, return_dtype=pl.String),
    }
    keys = _interval(question) | {field: derived.get(field, pl.col(field_named(field).column)) for field in question.by}
    if table != "access":
        return _grouped(rows, keys, [pl.len().alias("records")]).filter(pl.col("records") > 0)
    values = [
        pl.len().alias("hits"),
        pl.col("bytes").sum().cast(pl.Int64),
        (pl.col("status") // 100).is_in(_ERRORS).sum().alias("errors"),
    ]
    if question.percentiles_of:
        measured = pl.col(question.percentiles_of).to_physical()
        measured = measured / _SECOND_US if question.percentiles_of == "duration" else measured
        values += [
            measured.quantile(share, "linear").alias(f"{question.percentiles_of}_{name}")
            for name, share in PERCENTILES.items()
        ]
    return _grouped(rows, keys, values).filter(pl.col("hits") > 0)


def _section() -> pl.Expr:
    """Return the section of a stored request, the same that was counted when it was stored."""
    request = pl.struct("method", "path").map_batches(
        lambda some: sections(some.struct.unnest()), return_dtype=pl.String, is_elementwise=True
    )
    return pl.when(pl.col("path").is_not_null()).then(request).fill_null("")


def _pieces(reader: LakeReader, table: str) -> pl.LazyFrame:
    frames = [piece.frame() for piece in reader.pieces([table])]
    return pl.concat([pl.LazyFrame(schema=dict(TABLES[table])), *frames])


def _within(rows: pl.LazyFrame, question: StatsQuestion) -> pl.LazyFrame:
    if question.since_us is not None:
        rows = rows.filter(pl.col("time") >= pl.lit(question.since_us).cast(pl.Datetime("us")))
    if question.until_us is not None:
        rows = rows.filter(pl.col("time") < pl.lit(question.until_us).cast(pl.Datetime("us")))
    return rows


def _interval(question: StatsQuestion) -> dict[str, pl.Expr]:
    if question.every_s is None:
        return {}
    every_us = question.every_s * _SECOND_US
    return {"time": (pl.col("time").to_physical() // every_us * every_us).cast(pl.Datetime("us"))}


def _grouped(rows: pl.LazyFrame, keys: Mapping[str, pl.Expr], values: Sequence[pl.Expr]) -> pl.LazyFrame:
    if not keys:
        return rows.select(values)
    return rows.group_by(key.alias(f"by_{name}") for name, key in keys.items()).agg(values)


def _top(rows: pl.DataFrame, question: StatsQuestion, count: str) -> tuple[pl.DataFrame, int]:
    """Keep the groups with most hits over the whole time; return how many are left out."""
    keys = [f"by_{field}" for field in dict.fromkeys(question.by)]
    if not keys:
        return rows, 0
    groups = rows.group_by(keys).agg(pl.col(count).sum()).sort(count, *keys, descending=[True, *[False] * len(keys)])
    shown = groups.head(question.top) if question.top else groups
    if shown.height < groups.height:
        rows = rows.join(shown.select(keys), on=keys, how="semi", nulls_equal=True)
    return rows, groups.height - shown.height


def _shown(rows: pl.DataFrame, question: StatsQuestion, count: str) -> pl.DataFrame:
    time = ["by_time"] if question.every_s is not None else []
    keys = [f"by_{field}" for field in dict.fromkeys(question.by)]
    order = [*time, count, *keys]
    rows = rows.sort(order, descending=[name == count for name in order])
    if "errors" in rows.columns:
        rows = rows.with_columns(error_rate=(pl.col("errors") / pl.col("hits")).round(4))
    classes = {f"by_{name}": _class_name(f"by_{name}") for name in question.by if name == "class"}
    rows = rows.with_columns(**classes)
    values = [name for name in rows.columns if name not in {*time, *keys, "errors", "error_rate"}]
    place = values.index("bytes") + 1 if "bytes" in values else len(values)
    values[place:place] = ["error_rate"] if "error_rate" in rows.columns else []
    return rows.select(pl.col(name).alias(name.removeprefix("by_")) for name in [*time, *keys, *values])


def _class_name(column: str) -> pl.Expr:
    return pl.when(pl.col(column) > 0).then(pl.format("{}xx", column)).otherwise(pl.lit("none"))
