"""Every engine finds the records that one finds by looking at their lines: Polars and DuckDB, for any query."""

import duckdb
import polars as pl
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from query_oracle import holds
from query_records import FORMATS, Records, conditions, leaves, records

from heeler.query import tree
from heeler.query.conditions import Scope, compiled
from heeler.query.frame import FrameTests, as_expression
from heeler.query.sql import add_functions, as_sql, is_exact

any_records = st.sampled_from(["access", "log"]).flatmap(records)


def by_looking(condition: tree.Condition, some: Records) -> list[int]:
    return [at for at, record in enumerate(some.each) if holds(condition, record)]


def by_polars(condition: tree.Condition, some: Records) -> list[int]:
    expression = as_expression(condition, some.frame.schema, FORMATS, some.table)
    asked = some.frame.lazy().with_columns(found=expression).collect()["found"]
    assert asked.null_count() == 0
    return pl.select(row=pl.lit(asked).arg_true())["row"].to_list() if some.frame.height else []


def by_duckdb(condition: tree.Condition, some: Records, connection: duckdb.DuckDBPyConnection) -> list[int]:
    tests = compiled(condition, Scope(set(some.frame.columns), FORMATS))
    frame = some.frame.with_row_index("row").with_columns(
        pl.Series("line", [record.line.decode("utf-8", "replace") for record in some.each], pl.String),
        *([pl.col("duration").dt.total_microseconds()] if "duration" in some.frame.columns else []),
    )
    connection.register("records", frame.to_arrow())
    where = as_sql(tests, "duckdb").sql("duckdb")
    asked = f"select row, coalesce({where}, null) from records order by row"  # noqa: S608 - what is tested
    found = connection.execute(asked).fetchall()
    assert all(answer is not None for _, answer in found)
    return [row for row, answer in found if answer]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    add_functions(made)
    return made


@settings(max_examples=400)
@given(conditions, any_records)
def test_engines_find_what_one_finds_by_looking(
    connection: duckdb.DuckDBPyConnection, condition: tree.Condition, some: Records
) -> None:
    if not some.each:
        return
    expected = by_looking(condition, some)
    assert by_polars(condition, some) == expected
    assert by_duckdb(condition, some, connection) == expected


@settings(max_examples=400)
@given(leaves, any_records)
def test_engines_find_what_one_finds_by_looking_for_one_thing(
    connection: duckdb.DuckDBPyConnection, condition: tree.Condition, some: Records
) -> None:
    if not some.each:
        return
    expected = by_looking(condition, some)
    assert by_polars(condition, some) == expected
    assert by_duckdb(condition, some, connection) == expected


@given(any_records)
def test_the_text_of_a_line_is_that_of_its_bytes(some: Records) -> None:
    if not some.each:
        return
    found = FrameTests(FORMATS, some.table).line_texts(some.frame.to_struct("records"))
    assert found.to_list() == [record.line.decode("utf-8", "replace") for record in some.each]


@settings(max_examples=300)
@given(conditions)
def test_sql_for_postgresql_can_be_read(condition: tree.Condition) -> None:
    columns = {"time", "log_group", "log_stream", "attributes", "raw", "message", "host", "path", "status", "client"}
    tests = compiled(condition, Scope(columns, FORMATS))
    text = as_sql(tests, "postgres").sql("postgres")
    assert sqlglot.parse_one(text, read="postgres").sql("postgres") == text


@settings(max_examples=300)
@given(conditions, any_records)
def test_what_is_not_exact_finds_more_and_never_less(
    connection: duckdb.DuckDBPyConnection, condition: tree.Condition, some: Records
) -> None:
    """PostgreSQL's condition, where it leaves out regexes, run by DuckDB, which understands all but the collation."""
    if not some.each:
        return
    tests = compiled(condition, Scope(set(some.frame.columns), FORMATS))
    found = by_postgresql(tests, some, connection)
    expected = by_looking(condition, some)
    if is_exact(tests, "postgres"):
        assert found == expected
    else:
        assert set(expected) <= set(found)


def by_postgresql(tests: object, some: Records, connection: duckdb.DuckDBPyConnection) -> list[int]:
    folding = (
        "create or replace macro folded(t) as translate(t, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"
    )
    connection.execute(folding)
    condition = as_sql(tests, "postgres")  # type: ignore[arg-type]  # what `compiled` gave
    for lower in list(condition.find_all(sqlglot.exp.Lower)):
        lower.replace(sqlglot.exp.Anonymous(this="folded", expressions=[lower.this.this]))
    frame = some.frame.with_row_index("row").with_columns(
        pl.Series("line", [record.line.decode("utf-8", "replace") for record in some.each], pl.String),
        *([pl.col("duration").dt.total_microseconds()] if "duration" in some.frame.columns else []),
    )
    connection.register("records", frame.to_arrow())
    asked = f"select row from records where {condition.sql('duckdb')} order by row"  # noqa: S608 - what is tested
    return [row for (row,) in connection.execute(asked).fetchall()]
