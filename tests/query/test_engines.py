"""Every engine finds the records that one finds by looking at their lines: Polars and DuckDB, for any query."""

import re

import duckdb
import polars as pl
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from query_oracle import holds
from query_records import FORMATS, Records, conditions, conditions_of, part_of, records, records_of

from heeler.query import tree
from heeler.query.conditions import Scope, compiled
from heeler.query.frame import FrameTests, as_expression
from heeler.query.language import parse
from heeler.query.sql import add_functions, as_sql, is_exact


def split_query(text: str) -> list[str]:
    """Part a text at blanks that stand in no quotes and no regex."""
    return re.findall(r"'[^']*'|/\S+/|\S+", text)


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


@st.composite
def questions(draw: st.DrawFn) -> tuple[tree.Condition, Records]:
    """Return some records, and a condition that may well find one of them."""
    some = draw(any_records.filter(lambda some: bool(some.each)))
    lines = [record.line.decode("utf-8", "replace") for record in some.each]
    return draw(conditions_of(part_of(lines))), some


@settings(max_examples=150)
@given(questions())
def test_engines_find_what_one_finds_by_looking(
    connection: duckdb.DuckDBPyConnection, asked: tuple[tree.Condition, Records]
) -> None:
    condition, some = asked
    expected = by_looking(condition, some)
    assert by_polars(condition, some) == expected
    assert by_duckdb(condition, some, connection) == expected


LINES = {
    1: b'10.0.0.1 - bob [25/Nov/2026:10:01:40 +0100] "GET /\xe2\x84\xaaey?a=1 HTTP/1.1" 200 4521 "-" '
    b'"K\xc4\xb0 \xc3\x89cole"',
    2: b'10.0.0.1 - bob [25/Nov/2026:10:01:40 +0100] "\x16\x03" 400 0',
    3: b"v10.0.0.1_200k key 0.042",
    4: b"timed out \xff caf\xc3\xa9s key",
    5: b'{"user": {"id": 42}, "level": "k\\u0065y", "n": 1.50}',
    6: b"2026-11-25T10:00:40+01:00 10.0.0.1 the message",
}
OF_OTHERS = "something 'thing EL' =else =els /some.*g/ -something"
"""What is asked of a line that does not fit its format, beside those that do."""

TRAPS = {
    1: "key kİ ki É é =cole =école GET 'get /' '/1.1\" 200' '] \"GET' 0:01:40 '+0100] \"' 00 4521 521 200 =200 =00 1\" "
    "/\\bcole/ /école/ /École$/ /\\x22$/ path:*key path:/K* agent:cole bytes:>=4521 bytes:>4521 "
    "client:10.0.0.0/31 "
    "client:10.0.0.2/31 user:bob user:BOB status:2xx -status:2xx referer:* host:* -host:* nov NOV/20 25/nov =nov =2026",
    2: "400 '\" 400' x16 status:400 method:* -method:GET method:GET",
    3: "v10 200k =200k =200 _200 '_200k key' duration:>=0.042 duration:>0.042 trace:key key trace:ke 0.042",
    4: "out timed 'out \ufffd' cafés CAFÉS =caf =café /caf\\b/ key message:time message:timed -message:*",
    5: "user.id:42 user.id:4 level:key key n:1.5 n:1.50 n:>=1.5 n:>1.5 zebra message:zebra \\u0065 user:* nothing:*",
    6: "'10.0.0.1 the' 40+01 =25T10 =2026 host:10.0.0.1 message:the 'message 2026' 'the message' =message "
    "message:message",
}


@pytest.mark.parametrize(
    ("number", "text"),
    [(number, text) for number, texts in TRAPS.items() for text in split_query(f"{texts} {OF_OTHERS}")],
)
def test_engines_find_what_one_finds_by_looking_where_they_may_differ(
    connection: duckdb.DuckDBPyConnection, number: int, text: str
) -> None:
    some = records_of(number, [LINES[number], b"something else"])
    condition = parse(text).where
    expected = by_looking(condition, some)
    assert by_polars(condition, some) == expected
    assert by_duckdb(condition, some, connection) == expected


@given(any_records)
def test_the_text_of_a_line_is_that_of_its_bytes(some: Records) -> None:
    if not some.each:
        return
    found = FrameTests(FORMATS, some.table).line_texts(some.frame.to_struct("records"))
    assert found.to_list() == [record.line.decode("utf-8", "replace") for record in some.each]


@settings(max_examples=80)
@given(conditions)
def test_sql_for_postgresql_can_be_read(condition: tree.Condition) -> None:
    columns = {"time", "log_group", "log_stream", "attributes", "raw", "message", "host", "path", "status", "client"}
    tests = compiled(condition, Scope(columns, FORMATS))
    text = as_sql(tests, "postgres").sql("postgres")
    assert sqlglot.parse_one(text, read="postgres").sql("postgres") == text


@settings(max_examples=80)
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
