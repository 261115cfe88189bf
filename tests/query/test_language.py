"""The query language: what is written reads back, and what it finds is what one finds by looking."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.errors import QueryError
from heeler.query.frame import as_expression
from heeler.query.language import FIELDS, parse
from heeler.query.tree import Equals, Query
from heeler.store.schema import ACCESS, LOG, RECORD_TABLES

any_value = st.text()
conditions = st.builds(Equals, st.sampled_from(sorted(FIELDS)), any_value)
queries = st.lists(conditions, max_size=4).map(lambda some: Query(tuple(some)))


@given(queries)
def test_a_query_that_is_written_reads_back_as_itself(query: Query) -> None:
    assert parse(str(query)) == query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n ", []),
        ("stream:s1", [("stream", "s1")]),
        ("  status:404   path:/a?b=c:d ", [("status", "404"), ("path", "/a?b=c:d")]),
        ('agent:"a b" client:::1', [("agent", "a b"), ("client", "::1")]),
        (r'message:"say \"no\" \\ never"', [("message", r'say "no" \ never')]),
        ('referer:""', [("referer", "")]),
        (r"path:a\b", [("path", r"a\b")]),
    ],
)
def test_texts_of_a_query(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.field, one.value) for one in parse(text).conditions] == expected


@pytest.mark.parametrize(
    ("text", "at", "told"),
    [
        ("streem:s1", 0, "Did you mean 'stream'?"),
        ("status:404 pth:/", 11, "Did you mean 'path'?"),
        ("xyzzy:1", 0, "Known are group, stream"),
        ("404", 0, "A query is made of field:value"),
        ("status:404 and path:/", 11, "A query is made of field:value"),
        ("status:", 0, "A query is made of field:value"),
        ('agent:"a', 0, "A query is made of field:value"),
        ('agent:"a"b', 0, "A query is made of field:value"),
        ('stream:a"b', 0, "A query is made of field:value"),
        (":404", 0, "A query is made of field:value"),
    ],
)
def test_a_caret_stands_where_understanding_ends(text: str, at: int, told: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.at == at
    assert told in str(caught.value)
    assert str(caught.value).endswith("\n  " + " " * at + "^")


def test_every_field_is_a_column_of_some_table() -> None:
    columns = {name for schema in RECORD_TABLES.values() for name in schema}
    assert set(FIELDS.values()) <= columns


# --- against looking at each record ---

TABLES = {"access": {**RECORD_TABLES["access"]}, "log": {**RECORD_TABLES["log"]}}
words = st.sampled_from(["s1", "s10", "S1", "s1 ", "", "1", "true", "404", "é"])
values: dict[str, st.SearchStrategy[Any]] = {
    "severity": st.integers(1, 24),
    "zone": st.integers(-600, 600),
    "parsed": st.booleans(),
    "seq": st.integers(1, 400),
    "status": st.sampled_from([200, 404]),
    "bytes": st.integers(0, 500),
}
records = st.lists(
    st.fixed_dictionaries({column: st.none() | values.get(column, words) for column in sorted(set(FIELDS.values()))}),
    max_size=8,
)
asked_values = words | st.sampled_from(["200", "0", "01", "false", "None", "null"]) | st.integers(-1, 20).map(str)
asked = st.lists(st.builds(Equals, st.sampled_from(sorted(FIELDS)), asked_values), max_size=2).map(
    lambda some: Query(tuple(some))
)


def text_of(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


@given(asked, records, st.sampled_from(sorted(TABLES)))
def test_a_query_finds_what_one_finds_by_looking(query: Query, rows: list[dict[str, object]], table: str) -> None:
    schema = {name: dtype for name, dtype in TABLES[table].items() if name in FIELDS.values()}
    frame = pl.DataFrame(
        [pl.Series(name, [row[name] for row in rows], dtype) for name, dtype in schema.items()]
    ).with_row_index("at")
    found = frame.filter(as_expression(query, frame.schema))["at"].to_list()
    expected = [
        at
        for at, row in enumerate(rows)
        if all(FIELDS[one.field] in schema and text_of(row[FIELDS[one.field]]) == one.value for one in query.conditions)
    ]
    assert found == expected


def test_a_stream_is_not_another_that_begins_so() -> None:
    frame = pl.DataFrame({"log_stream": ["s1", "s10", "S1", None, "xs1"]})
    assert frame.filter(as_expression(parse("stream:s1"), frame.schema))["log_stream"].to_list() == ["s1"]


def test_a_column_that_a_table_does_not_have_matches_nothing() -> None:
    frame = pl.DataFrame({"log_stream": ["s1"]})
    assert frame.filter(as_expression(parse("status:200 stream:s1"), frame.schema)).height == 0
    assert set(ACCESS) - set(LOG)
