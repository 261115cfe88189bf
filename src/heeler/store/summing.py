"""What stands behind ``|`` in a query: counting, measuring, sorting, by DuckDB, which goes to the disk where it must.

Where the condition is about columns alone DuckDB reads the segments itself. Where it looks at whole lines or
attributes, the records are found as for a search and streamed to DuckDB, with the columns that are asked for.
"""

import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from sqlglot import exp

from heeler.errors import EnvironmentFailed, HeelerError, UsageError
from heeler.query.conditions import NEVER, All, Column, Digits, Negated, Test
from heeler.query.conditions import Any as AnyOf
from heeler.query.fields import DERIVED, Kind, field_named, meant
from heeler.query.sql import as_sql
from heeler.query.tree import Grouping, Limit, Measure, Query, Sort, Top
from heeler.store.piece import Piece
from heeler.store.reading import lines_of
from heeler.store.schema import RECORD_TABLES
from heeler.store.searching import Search
from heeler.store.summed_columns import (
    LINE,
    column_of,
    inner,
    interval,
    measured,
    percentile,
    polars_type,
    sql_type,
    value_of,
)
from heeler.units import whole_seconds

if TYPE_CHECKING:
    import duckdb

MEMORY_MB = 200
"""What DuckDB may take; more goes to temporary files."""

THREADS = 2
ROWS_AT_ONCE = 2_000
ROWS_WRITTEN_AT_ONCE = 20_000
"""So many lines are written out at once; they take more memory than all else."""

FEW = 10_000
"""Of so many sorted records the lines are looked up at the end, instead of sorting them all."""

KEYS = ("time", "log_group", "log_stream", "seq")
SAYS = (*KEYS, "format", "line")
"""The columns of records that are sorted: what names each, and its line."""

_RECORDS = "records"
_MADE_OF = {"section": {"method", "path"}, "stem": {"path"}, "class": {"status"}}
"""The columns of what is derived."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The answer: names of columns, and rows as they come. ``time`` is UTC."""

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def summary(search: Search, query: Query, *, timeout_s: float | None = None) -> Iterator[Summary]:
    """Run the stages of a query over what a search finds; the rows can be taken until the block ends.

    Without a stage that counts, the records are the rows: of `SAYS`. Raises `UsageError` for a column that the answer
    does not have, `HeelerError` where time or disk did not suffice.
    """
    import duckdb  # noqa: PLC0415 - takes a while to import, and a search needs none

    with tempfile.TemporaryDirectory(prefix="heeler-query-") as spill, closing(_connected(Path(spill))) as connection:
        late = threading.Event()

        def interrupt() -> None:
            late.set()
            connection.interrupt()

        timer = threading.Timer(timeout_s or 0, interrupt)
        timer.daemon = True
        if timeout_s is not None:
            timer.start()
        statement = _Statement(search, query)
        try:
            found = connection.execute(statement.written(connection))
            columns = [str(one[0]) for one in found.description or ()]
            yield Summary(columns, _rows(connection))
        except (duckdb.Error, RuntimeError) as error:
            if statement.failure is not None:
                raise statement.failure from None  # what stopped the records that were streamed
            if late.is_set():
                raise HeelerError(f"The query did not end within {timeout_s:g} s and was stopped.") from error
            raise _failure(error) from error
        finally:
            timer.cancel()


def _failure(error: Exception) -> BaseException:
    """Return what an error of DuckDB means to people."""
    import duckdb  # noqa: PLC0415 - as above

    if isinstance(error, duckdb.OutOfMemoryException):
        return EnvironmentFailed(
            f"The query needs more memory or temporary disk than there is: {error}. Ask for fewer groups or rows."
        )
    if isinstance(error, duckdb.IOException | duckdb.SerializationException):
        return EnvironmentFailed(
            f"A segment of the lake cannot be read: {error}. `heeler store upkeep` names what is damaged."
        )
    # The driver says in this way that it was interrupted from outside.
    return KeyboardInterrupt() if isinstance(error, duckdb.InterruptException | RuntimeError) else error


def few_of(query: Query) -> int | None:
    """Return how many records a query that sorts them can have at most, None where they may be many."""
    limits = [stage.rows for stage in query.stages if isinstance(stage, Limit)]
    return min(limits) if limits and min(limits) <= FEW else None


def sorted_records(
    search: Search, query: Query, *, limit: int = 0, timeout_s: float | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the records that a search finds in the order that the stages of a query say, with the columns `SAYS`."""
    asked = Query(query.where, (*query.stages, Limit(limit))) if limit else query
    with summary(search, asked, timeout_s=timeout_s) as answer:
        while rows := list(islice(answer.rows, ROWS_AT_ONCE)):
            found = pl.DataFrame(rows, schema={name: polars_type(name) for name in answer.columns}, orient="row")
            yield found if LINE in answer.columns else _with_lines(search, found)


def _with_lines(search: Search, keys: pl.DataFrame) -> pl.DataFrame:
    """Look up the records of these keys, and keep their order."""
    found = [
        search.records_of(str(group), str(stream), some["seq"])
        for (group, stream), some in keys.partition_by("log_group", "log_stream", as_dict=True).items()
    ]
    records = pl.concat(found, how="diagonal")
    return keys.join(
        records.drop("time"), on=["log_group", "log_stream", "seq"], how="left", maintain_order="left"
    ).select(SAYS)


def _connected(spill: Path) -> "duckdb.DuckDBPyConnection":
    import duckdb  # noqa: PLC0415 - as above

    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{MEMORY_MB}MiB",
        "temp_directory": str(spill),
        "threads": str(THREADS),
        "preserve_insertion_order": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
    }
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _rows(connection: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Any, ...]]:
    while rows := connection.fetchmany(ROWS_AT_ONCE):
        yield from rows


class _Statement:
    """The SELECT that answers a query, over the records that a search finds."""

    def __init__(self, search: Search, query: Query) -> None:
        self._search = search
        self._query = query
        self._summary = query.summary
        # The lines of a few records are looked up when it is known which they are.
        self._says = SAYS if query.summary is None and few_of(query) is None else KEYS
        self._fields = self._wanted()
        self.failure: BaseException | None = None
        """What ended the stream of records early; DuckDB makes an error of its own of it."""
        tables = [table for table in RECORD_TABLES if self._has_records(table)]
        self._tables = tables or ["access"]

    def _has_records(self, table: str) -> bool:
        return self._search.matcher.tests(table) != NEVER and any(one.table == table for one in self._search.pieces)

    def _wanted(self) -> list[str]:
        """Return the fields that the stages look at."""
        names: list[str] = []
        if isinstance(self._summary, Top):
            names += self._summary.fields
        elif isinstance(self._summary, Grouping):
            names += self._summary.by
            names += [self._summary.measure.field] if self._summary.measure.field else []
        else:
            names += [stage.column for stage in self._query.stages if isinstance(stage, Sort)]
        return list(dict.fromkeys(names))

    def written(self, connection: "duckdb.DuckDBPyConnection") -> str:
        """Make the records known to DuckDB, and return the statement."""
        parts = [self._of_table(table, connection) for table in self._tables]
        records = exp.union(*parts, distinct=False) if len(parts) > 1 else parts[0]
        source = exp.Subquery(this=records, alias=exp.TableAlias(this=exp.to_identifier(_RECORDS)))
        statement, columns = self._summed(source)
        return self._ordered(statement, columns).sql("duckdb")

    def _summed(self, records: exp.Subquery) -> tuple[exp.Select, list[str]]:
        asked = self._summary
        if asked is None:
            return exp.select(*map(column_of, self._says)).from_(records), [*self._fields, *self._says]
        keys: list[tuple[str, exp.Expr]] = []
        if isinstance(asked, Grouping) and asked.every is not None:
            keys.append(("time", interval(whole_seconds(asked.every, "The interval"))))
        by = asked.fields if isinstance(asked, Top) else asked.by
        keys += [(name, column_of(inner(name))) for name in by]
        measure = asked.measure if isinstance(asked, Grouping) else Measure("count")
        columns = [*(name for name, _ in keys), str(measure)]
        if measure.name.startswith("p"):
            return percentile(keys, measure, records), columns
        values = [exp.alias_(key, name, quoted=True) for name, key in keys]
        values.append(exp.alias_(measured(measure), str(measure), quoted=True))
        statement = exp.select(*values).from_(records)
        if keys:
            statement = statement.group_by(*(exp.Literal.number(at + 1) for at in range(len(keys))))
        return statement, columns

    def _ordered(self, statement: exp.Select, columns: list[str]) -> exp.Expr:
        """Add the order and the limits, one stage after the other."""
        asked = self._summary
        query: exp.Select = statement
        if isinstance(asked, Grouping) and asked.every is not None:
            query = query.order_by(*(_by(at + 1) for at in range(len(columns))))
        elif asked is not None and len(columns) > 1:
            query = query.order_by(_by(len(columns), descending=True), *(_by(at + 1) for at in range(len(columns) - 1)))
        if isinstance(asked, Top):
            query = query.limit(asked.number)
        for stage in self._query.stages:
            if isinstance(stage, Sort):
                self._check_column(stage.column, columns)
                name = stage.column if asked is not None else inner(stage.column)
                order = exp.Ordered(this=column_of(name), desc=stage.descending, nulls_first=False)
                query = (query if asked is None and not query.args.get("limit") else _wrapped(query)).order_by(
                    order, *self._ties(), append=False
                )
            elif isinstance(stage, Limit):
                query = (_wrapped(query) if query.args.get("limit") else query).limit(stage.rows)
        return query

    def _ties(self) -> list[exp.Expr]:
        return [column_of(name) for name in KEYS] if self._summary is None else []

    def _check_column(self, name: str, columns: list[str]) -> None:
        if self._summary is not None and name not in columns:
            hint = meant(name, columns) or f" It has {', '.join(columns)}."
            raise UsageError(f"The answer has no column {name!r} to sort by.{hint}")

    def _of_table(self, table: str, connection: "duckdb.DuckDBPyConnection") -> exp.Select:
        pieces = [piece for piece in self._search.pieces if piece.table == table]
        tests = self._search.matcher.tests(table)
        direct = _of_columns(tests) and not self._is_derived() and self._says is not SAYS
        files = [piece for piece in pieces if piece.path is not None] if direct else []
        streamed = [piece for piece in pieces if piece not in files]
        selects = []
        if files:
            selects.append(self._of_files(table, files, tests))
        if streamed or not files:
            name = f"streamed_{table}"
            connection.register(name, self._reader(table, streamed))
            selects.append(exp.select(*map(column_of, self._names())).from_(name))
        return (
            selects[0]
            if len(selects) == 1
            else exp.select("*").from_(
                exp.Subquery(
                    this=exp.union(*selects, distinct=False), alias=exp.TableAlias(this=exp.to_identifier("parts"))
                )
            )
        )

    def _names(self) -> list[str]:
        names = [inner(name) for name in self._fields]
        return list(dict.fromkeys([*names, *(self._says if self._summary is None else ("time",))]))

    def _is_derived(self) -> bool:
        return any(name in DERIVED or field_named(name).kind in (Kind.ATTRIBUTE, Kind.FORMAT) for name in self._fields)

    def _of_files(self, table: str, files: Sequence[Piece], tests: Test) -> exp.Select:
        paths = [exp.Literal.string(str(piece.path)) for piece in files]
        read = exp.Anonymous(
            this="read_parquet",
            expressions=[
                exp.Array(expressions=paths),
                exp.EQ(this=exp.column("union_by_name"), expression=exp.true()),
            ],
        )
        columns = []
        for name in self._names():
            column = next((one.column for one in map(field_named, self._fields) if inner(one.name) == name), name)
            found = column_of(column) if column in RECORD_TABLES[table] else exp.null()
            columns.append(exp.alias_(exp.cast(found, sql_type(name)), name, quoted=True))
        return exp.select(*columns).from_(exp.Table(this=read)).where(as_sql(tests, "duckdb"))

    def _reader(self, table: str, pieces: Sequence[Piece]) -> Any:  # noqa: ANN401 - pyarrow has no types
        import pyarrow as pa  # noqa: PLC0415 - as DuckDB

        schema = (
            pl.DataFrame(schema={name: polars_type(name) for name in self._names()})
            .to_arrow(compat_level=pl.CompatLevel.oldest())
            .schema
        )

        def batches() -> Generator[Any, None, None]:
            try:
                for piece in pieces:
                    self._search.going_on()
                    for frame in self._search.matcher.frames(piece, self._columns_of(table)):
                        for part in frame.iter_slices(ROWS_WRITTEN_AT_ONCE):
                            made = self._made(part)
                            yield from made.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema).to_batches()
            except BaseException as error:
                self.failure = error
                raise

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _columns_of(self, table: str) -> list[str]:
        if self._summary is None and self._says is SAYS:
            return list(RECORD_TABLES[table])
        wanted = {"time", *(KEYS if self._summary is None else ())}
        for name in self._fields:
            wanted |= _MADE_OF.get(name, {field_named(name).column})
        return [name for name in RECORD_TABLES[table] if name in wanted]

    def _made(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a frame with the columns that the statement reads."""
        made: dict[str, pl.Series | pl.Expr] = {name: pl.lit(None, polars_type(name)) for name in self._names()}
        for name in self._fields:
            found = value_of(frame, name, self._search.formats)
            if found is not None:
                made[inner(name)] = found
        if self._summary is None:
            made |= {name: frame[name] for name in self._says if name in frame.columns}
            if self._says is SAYS:
                made[LINE] = pl.Series(LINE, lines_of(frame, self._search.formats), pl.Binary)
        else:
            made["time"] = frame["time"]
        return (
            frame.select(
                (pl.lit(value) if isinstance(value, pl.Series) else value).cast(polars_type(name)).alias(name)
                for name, value in made.items()
            )
            if frame.width
            else pl.DataFrame(schema={name: polars_type(name) for name in made})
        )


def _of_columns(test: Test) -> bool:
    """Tell whether a test looks at nothing but columns as they are stored."""
    if isinstance(test, All | AnyOf):
        return all(map(_of_columns, test.parts))
    if isinstance(test, Negated):
        return _of_columns(test.part)
    return isinstance(getattr(test, "source", Column("")), Column | Digits)


def _by(place: int, *, descending: bool = False) -> exp.Ordered:
    return exp.Ordered(this=exp.Literal.number(place), desc=descending, nulls_first=False)


def _wrapped(query: exp.Select) -> exp.Select:
    return exp.select("*").from_(exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("answer"))))
