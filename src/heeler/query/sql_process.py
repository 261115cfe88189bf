"""The process in which SQL of users runs: it can read a few files, write none, and ends by itself.

Started by `heeler.store.sql` as ``python -m heeler.query.sql_process``, with a `Request` as JSON on stdin. It answers
on stdout with JSON lines: ``{"columns": [...]}``, then lists of rows, then ``{"end": true, "more": false}``, or at any
time ``{"error": kind, "message": text}``. Only DuckDB and the standard library are imported here, so it starts quickly.

Three walls stand here behind that of `heeler.query.user_sql`. The tree that DuckDB itself makes of the text is held
against `heeler.query.sql_allowed`; DuckDB is told to open nothing but the given files, and locked; and the kernel lets
this process write to no file at all.
"""

import json
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TextIO, TypedDict

import duckdb

from heeler.query.sql_allowed import refusals

ROWS_AT_ONCE = 500
_MB = 1 << 20
_ZONED, _ZONED_TIME = "WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE"
_BESIDE_DUCKDB_MB = 3072
"""Address space for Python, libraries and stacks, beside the memory that DuckDB counts."""


class Request(TypedDict):
    """What to run. ``views`` are CREATE VIEW statements of our own, over ``paths`` alone."""

    sql: str
    views: list[str]
    paths: list[str]
    memory_mb: int
    threads: int
    timeout_s: float
    limit: int | None


class _RefusedError(Exception):
    """The statement says something that is not on the list."""


def main() -> int:
    """Answer the request on stdin."""
    request: Request = json.load(sys.stdin)
    _give_up_rights(request["memory_mb"])
    try:
        for line in answer(request):
            _say(sys.stdout, line)
    except _RefusedError as error:
        _say(sys.stdout, {"error": "refused", "message": str(error)})
    except duckdb.InterruptException:
        _say(sys.stdout, {"error": "timeout", "message": ""})
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        _say(sys.stdout, {"error": "memory", "message": str(error)})
    except (duckdb.IOException, duckdb.SerializationException) as error:
        _say(sys.stdout, {"error": "reading", "message": str(error)})
    except (duckdb.Error, OverflowError, ValueError) as error:
        # The text behind DESCRIBE is the user's; so is the place below it.
        message = str(error).replace("LINE 1: DESCRIBE ", "LINE 1: ").replace("\n         ", "\n", 1)
        _say(sys.stdout, {"error": "query", "message": message})
    return 0


def answer(request: Request) -> Iterator[Any]:
    """Yield the lines of the answer. Raises what DuckDB raises."""
    connection = locked(request)
    timer = threading.Timer(request["timeout_s"], connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        for view in request["views"]:
            connection.execute(view)
        connection.execute("SET lock_configuration = true")
        _refuse_other(connection, request["sql"])
        names, types, sql = _described(connection, request["sql"])
        yield {"columns": names, "types": types}
        connection.execute(sql)
        left = request["limit"]
        while rows := connection.fetchmany(ROWS_AT_ONCE if left is None else min(ROWS_AT_ONCE, left + 1)):
            shown = rows if left is None else rows[:left]
            yield [[_plain(value) for value in row] for row in shown]
            if left is not None:
                left -= len(shown)
                if len(rows) > len(shown):
                    yield {"end": True, "more": True}
                    return
        yield {"end": True, "more": False}
    finally:
        timer.cancel()
        connection.close()


def locked(request: Request) -> duckdb.DuckDBPyConnection:
    """Return an empty database that can open ``request["paths"]`` and nothing else: no file, no network, no extension.

    It still accepts settings until ``lock_configuration`` is set, behind the views.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
            "python_enable_replacements": "false",
            "temp_directory": "",
            "memory_limit": f"{request['memory_mb']}MiB",
            "threads": str(request["threads"]),
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    paths = ", ".join(_quoted(path) for path in request["paths"])
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute("SET enable_external_access = false")
    return connection


def _refuse_other(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    tree = json.loads(row[0]) if row else {}
    if tree.get("error_type") == "parser":
        raise duckdb.ParserException(tree["error_message"])
    if tree.get("error", True):
        raise _RefusedError("anything but a SELECT")
    for refusal in refusals(tree["statements"]):
        raise _RefusedError(refusal)


def _give_up_rights(memory_mb: int) -> None:
    """Let the kernel refuse what no query needs. Where a limit is not known, the other walls still stand."""
    for limit, value in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, (memory_mb + _BESIDE_DUCKDB_MB) * _MB),
    ):
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (value, value))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _described(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], list[str], str]:
    """Return the names and types of the columns, and the statement to run.

    Times with a zone are cast in the engine, because the driver would need one more package to hand them out.
    """
    described = connection.execute(f"DESCRIBE {sql}").fetchall()
    names, types = [str(row[0]) for row in described], [str(row[1]) for row in described]
    if any(_ZONED in kind for kind in types):
        row = connection.execute("SELECT json_deserialize_sql(json_serialize_sql(?))", [sql]).fetchone()
        casts = {_ZONED_TIME: "CAST(c{0} AS TIMESTAMP)"}
        other = [casts.get(kind, "CAST(c{0} AS VARCHAR)" if _ZONED in kind else "c{0}") for kind in types]
        columns = ", ".join(text.format(at) for at, text in enumerate(other))
        own_names = ", ".join(f"c{at}" for at in range(len(types)))
        inner = row[0] if row else ""
        sql = f"SELECT {columns} FROM ({inner}) AS t({own_names})"  # noqa: S608 - a statement that was checked
    return _unlike(names), types, sql


def _unlike(names: list[str]) -> list[str]:
    """Return the names, numbered where they occur again, so that a row can be an object."""
    unlike: list[str] = []
    for name in names:
        number, free = 2, name
        while free in unlike:
            number, free = number + 1, f"{name}_{number}"
        unlike.append(free)
    return unlike


def _plain(value: Any) -> Any:  # noqa: ANN401, PLR0911 - any value that SQL has, each kind in its own way
    """Return a value as JSON has it: times as text with their zone, durations as seconds, bytes as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, datetime):
        return value.isoformat() + ("+00:00" if value.tzinfo is None else "")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value)


def _say(out: TextIO, line: Any) -> None:  # noqa: ANN401 - any value that JSON has
    out.write(json.dumps(line, separators=(",", ":")))
    out.write("\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
