"""Running SQL of users over a lake, in a process of its own that sees only the files it needs."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import polars as pl
from sqlglot import exp

from heeler.errors import EnvironmentFailed, HeelerError, UsageError
from heeler.query.sql_allowed import ALLOWED
from heeler.query.user_sql import UserSql
from heeler.store.catalog import open_for_reading
from heeler.store.reading import LakeReader
from heeler.store.schema import RECORD_TABLES, TABLES, Schema

DEFAULT_TIMEOUT_S = 50.0
MEMORY_MB = 1024
"""What DuckDB may take; a query that needs more ends with a sentence, because nothing is spilled to a disk."""

MOST_THREADS = 4
_GRACE_S = 5.0
"""After this the process is killed: some functions do not look whether they are interrupted."""

_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "HOME")
"""What the process is told of the environment; secrets live in the rest of it."""

COMMON = tuple(name for name in RECORD_TABLES["access"] if all(name in schema for schema in RECORD_TABLES.values()))
"""The columns of the table ``logs``, beside ``kind``, which is the table that the record is from."""

STREAMS: Schema = {
    "log_group": pl.String,
    "log_stream": pl.String,
    "first_time": pl.Datetime("us"),
    "last_time": pl.Datetime("us"),
    "lines": pl.Int64,
    "bytes": pl.Int64,
    "source": pl.String,
}
ALERTS: Schema = {
    "rule": pl.String,
    "state": pl.String,
    "hits": pl.Int64,
    "time": pl.Datetime("us"),
    "zone": pl.Int16,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a query, as they come. ``more`` is set when all are taken and the limit cut the rest off."""

    columns: list[str]
    types: list[str]
    rows: Iterator[list[Any]]
    _end: dict[str, bool]

    @property
    def more(self) -> bool:
        """Whether there were more rows than the limit."""
        return self._end.get("more", False)


@contextmanager
def answered(
    reader: LakeReader, asked: UserSql, *, timeout_s: float = DEFAULT_TIMEOUT_S, limit: int | None = None
) -> Iterator[Answer]:
    r"""Run a statement; its rows can be taken until the block ends, and then nothing of it is left.

    Values are as JSON has them: times are text with their zone, bytes are text in which what is no UTF-8 is written
    as ``\xNN``. Raises `UsageError` for what the engine does not understand or is not allowed, and `HeelerError`
    where time or memory did not suffice.
    """
    with tempfile.TemporaryDirectory(prefix="heeler-sql-") as private:  # made for the user alone, mode 0700
        views = Views(reader, Path(private))
        for table in sorted(asked.tables):
            views.add(table)
        request = {
            "sql": asked.text,
            "views": views.statements,
            "paths": views.paths,
            "memory_mb": MEMORY_MB,
            "threads": min(MOST_THREADS, os.cpu_count() or 1),
            "timeout_s": timeout_s,
            "limit": limit,
        }
        with closing(_lines(request, timeout_s)) as lines:
            head = next(lines)
            end: dict[str, bool] = {}
            yield Answer(head["columns"], head["types"], _rows(lines, end), end)


class Views:
    """The statements that make the tables of a lake known to DuckDB, and the files that they read."""

    def __init__(self, reader: LakeReader, private: Path) -> None:
        self.statements: list[str] = []
        self.paths: list[str] = []
        self._reader = reader
        self._private = private
        self._made: set[str] = set()

    def add(self, table: str) -> None:
        """Make a table known, once."""
        if table in self._made:
            return
        self._made.add(table)
        if table == "logs":
            for one in RECORD_TABLES:
                self.add(one)
            selects = [
                exp.select(exp.Literal.string(one).as_("kind"), *(exp.column(name) for name in COMMON)).from_(one)
                for one in RECORD_TABLES
            ]
            self._create(table, exp.union(*selects, distinct=False))
        elif table == "streams":
            rows = [
                (one.group, one.stream, one.first_time_us, one.last_time_us, one.lines, one.bytes, one.source)
                for one in self._reader.streams()
            ]
            self._create(table, self._of_rows(table, rows, STREAMS))
        elif table == "alerts":
            with closing(open_for_reading(self._reader.folder)) as catalog:
                rows = catalog.execute("select rule, state, hits, time, zone from alert order by id").fetchall()
            self._create(table, self._of_rows(table, rows, ALERTS))
        else:
            self._create(table, self._of_pieces(table))

    def _create(self, table: str, query: exp.Query) -> None:
        statement = exp.Create(this=exp.to_table(table), kind="VIEW", expression=query)
        self.statements.append(statement.sql("duckdb"))

    def _of_rows(self, table: str, rows: Sequence[tuple[object, ...]], schema: Schema) -> exp.Select:
        columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
        series = [pl.Series(name, values, dtype) for (name, dtype), values in zip(schema.items(), columns, strict=True)]
        return self._of_files(table, [self._written(table, pl.DataFrame(series))], schema)

    def _of_pieces(self, table: str) -> exp.Select:
        pieces = self._reader.pieces([table])
        files = [piece.path for piece in pieces if piece.path is not None]
        blobs = [piece.frame() for piece in pieces if piece.path is None]
        if blobs or not files:
            empty = pl.LazyFrame(schema=dict(TABLES[table]))
            files.append(self._written(table, pl.concat([empty, *blobs]).collect()))
        return self._of_files(table, files, TABLES[table])

    def _written(self, table: str, rows: pl.DataFrame) -> Path:
        path = self._private / f"{table}.parquet"
        rows.write_parquet(path)
        return path

    def _of_files(self, table: str, files: Sequence[Path], schema: Schema) -> exp.Select:
        names = [str(path.resolve()) for path in files]
        self.paths += names
        read = exp.Anonymous(
            this="read_parquet",
            expressions=[
                exp.array(*map(exp.Literal.string, names), dialect="duckdb"),
                exp.EQ(this=exp.column("union_by_name"), expression=exp.true()),
            ],
        )
        columns: list[exp.Expr] = [exp.column(name) for name in schema]
        if "format" in schema:
            columns = [self._format_name() if column.name == "format" else column for column in columns]
        query = exp.select(*columns).from_(exp.Table(this=read))
        # What is counted is stored as deltas, and what was taken back entirely is no row.
        counts = [name for name in ("hits", "bytes") if name in schema]
        if table in TABLES and table not in RECORD_TABLES:
            keys = [exp.column(name) for name in schema if name not in counts]
            sums = [exp.cast(exp.func("sum", exp.column(name)), "bigint").as_(name) for name in counts]
            some = exp.NEQ(this=exp.func("sum", exp.column("hits")), expression=exp.Literal.number(0))
            query = exp.select(*keys, *sums).from_(exp.Table(this=read)).group_by(*keys).having(some)
        return query

    def _format_name(self) -> exp.Expr:
        case = exp.Case()
        for number, known in self._reader.formats().items():
            same = exp.EQ(this=exp.column("format"), expression=exp.Literal.number(number))
            case = case.when(same, exp.Literal.string(known.name))
        return (case if case.args.get("ifs") else exp.cast(exp.null(), "varchar")).as_("format")


def _rows(lines: Iterator[Any], end: dict[str, bool]) -> Iterator[list[Any]]:
    for line in lines:
        if isinstance(line, dict):
            end.update(line)
        else:
            yield from line


def _lines(request: dict[str, Any], timeout_s: float) -> Generator[Any, None, None]:
    """Run the process and yield the lines of its answer, up to the last one."""
    # -P: nothing that lies in the folder one happens to stand in is imported. A session of its own: it is this
    # process that hears Ctrl-C, and ends the other.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "heeler.query.sql_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="ascii",
        errors="backslashreplace",
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,
    )
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    killer = threading.Timer(timeout_s + _GRACE_S, kill)
    killer.daemon = True
    killer.start()
    ended = False
    with process:
        try:
            with suppress(BrokenPipeError), _pipe(process.stdin) as to_process:  # it tells below what it died of
                json.dump(request, to_process)
            for text in _pipe(process.stdout):
                line = json.loads(text)
                if isinstance(line, dict) and "error" in line:
                    raise _failure(line["error"], line["message"], timeout_s)
                ended = isinstance(line, dict) and "end" in line
                yield line
            if not ended:
                raise _failure("timeout" if late.is_set() else "died", _pipe(process.stderr).read(), timeout_s)
        finally:
            killer.cancel()
            process.kill()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise EnvironmentFailed("The process for the query has no pipe; it was started wrongly.")
    return pipe


def _failure(kind: str, message: str, timeout_s: float) -> HeelerError:
    # It may quote log text.
    message = "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in message)
    first = message.strip().partition("\n")[0]
    if kind == "refused":
        return UsageError(f"Not allowed is {message}. {ALLOWED}")
    if kind == "query":
        return UsageError(f"The SQL does not work: {message.strip()}")
    if kind == "timeout":
        return HeelerError(f"The query did not end within {timeout_s:g} s and was stopped; --timeout gives it longer.")
    if kind == "memory":
        return HeelerError(
            f"The query needs more than {MEMORY_MB} MB of memory; ask for fewer rows or columns ({first})."
        )
    if kind == "reading":
        return EnvironmentFailed(
            f"A segment of the lake cannot be read: {first}. `heeler store upkeep` names what is damaged."
        )
    last = message.strip().rpartition("\n")[2]
    return EnvironmentFailed(f"The process that ran the query ended early: {last or 'it was killed'}.")
