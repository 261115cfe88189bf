"""The query language: what is written reads back, and what cannot be read is told with its place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from query_records import conditions, texts

from heeler.errors import QueryError
from heeler.query.fields import FIELDS
from heeler.query.language import LONGEST, parse
from heeler.query.tree import (
    ALL,
    Compare,
    Condition,
    Equal,
    Exists,
    Grouping,
    Limit,
    Match,
    Measure,
    Network,
    Not,
    Or,
    Prefix,
    Query,
    Range,
    Regex,
    Sort,
    Stage,
    Text,
    Token,
    Top,
    When,
    all_of,
    any_of,
)
from heeler.store.schema import RECORD_TABLES

names = st.sampled_from([*FIELDS, "user.id", "x-y", "@timestamp", "section", "count"])
some_names = st.lists(names, min_size=1, max_size=3, unique=True).map(tuple)
measures = st.just(Measure("count")) | st.builds(
    Measure,
    st.sampled_from(["sum", "avg", "min", "max", "p50", "p99.9", "p100"]),
    st.sampled_from(["bytes", "n", "duration"]),
)
summaries: st.SearchStrategy[Stage] = st.builds(
    Grouping, measures, st.just(()) | some_names, st.sampled_from([None, "10s", "5m"])
) | st.builds(Top, st.integers(0, 1000), some_names)
more: st.SearchStrategy[Stage] = st.builds(Sort, names, st.booleans()) | st.builds(Limit, st.integers(0, 10**9))
stages = st.builds(lambda first, rest: (*first, *rest), st.lists(summaries, max_size=1), st.lists(more, max_size=2))
any_text = st.text(min_size=1).filter(lambda text: text.isprintable() or "\n" in text)
any_value: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Text, any_text),
    st.builds(Token, any_text),
    st.builds(Equal, st.sampled_from(["path", "message", "user.id"]), any_text),
    st.builds(Prefix, st.sampled_from(["path", "message", "user.id"]), any_text),
)


@settings(max_examples=250)
@given(conditions, stages)
def test_a_query_that_is_written_reads_back_as_itself(condition: Condition, stages: tuple[Stage, ...]) -> None:
    query = Query(condition, stages)
    assert parse(str(query)) == query


@settings(max_examples=250)
@given(st.lists(any_value, max_size=3))
def test_any_text_at_all_reads_back_as_itself(parts: list[Condition]) -> None:
    query = Query(all_of(parts) if parts else ALL)
    assert parse(str(query)) == query


@settings(max_examples=120)
@given(st.text(alphabet="ab:()|\"'-=@/\\*<>. ORNT\n", max_size=25))
def test_whatever_is_typed_is_read_or_refused_in_a_sentence(text: str) -> None:
    place = 0
    try:
        query = parse(text)
        assert parse(str(query)) == query
    except QueryError as error:
        place = error.at
    assert 0 <= place <= len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ALL),
        (" \t\n ", ALL),
        ("Error", Text("Error")),
        ("stream:s1", Equal("stream", "s1")),
        ("  status:404   path:/a?b=c:d ", all_of([Equal("status", "404"), Equal("path", "/a?b=c:d")])),
        ('agent:"a b" client:::1', all_of([Equal("agent", "a b"), Equal("client", "::1")])),
        (r'message:"say \"no\" \\ never"', Equal("message", r'say "no" \ never')),
        ('referer:""', Equal("referer", "")),
        (r"path:a\b", Equal("path", r"a\b")),
        ("timed out", all_of([Text("timed"), Text("out")])),
        ("timed AND out", all_of([Text("timed"), Text("out")])),
        ("'timed out'", Text("timed out")),
        ("a OR b c", any_of([Text("a"), all_of([Text("b"), Text("c")])])),
        ("(a OR b) c", all_of([any_of([Text("a"), Text("b")]), Text("c")])),
        ("-a", Not(Text("a"))),
        ("NOT a b", all_of([Not(Text("a")), Text("b")])),
        ("-(a OR b)", Not(Or((Text("a"), Text("b"))))),
        ("NOT NOT a", Text("a")),
        ("or and not", all_of([Text("or"), Text("and"), Text("not")])),
        ("status=200", Text("status=200")),
        ("10:15:40", Text("10:15:40")),
        ("--verbose --> ==> - =", all_of(map(Text, ["--verbose", "-->", "==>", "-", "="]))),
        ("don't", Text("don't")),
        ("=a1b2", Token("a1b2")),
        ('="a1 b2"', Token("a1 b2")),
        ("/time.?out/", Regex("time.?out")),
        ("/timed out/", Regex("timed out")),
        ("/a|b/", Regex("a|b")),
        ("/api/users", Text("/api/users")),
        ("/ // /a/b/", all_of([Text("/"), Text("//"), Text("/a/b/")])),
        ("path:/api", Equal("path", "/api")),
        ("path:/^.api/", Match("path", "^.api")),
        ("path:/a/../b", Equal("path", "/a/../b")),
        ("path:/api/*", Prefix("path", "/api/")),
        ('path:"/a b"*', Prefix("path", "/a b")),
        ("path:*", Exists("path")),
        ("-path:*", Not(Exists("path"))),
        ("status:5xx", Range("status", "500", "599")),
        ("status:500..599", Range("status", "500", "599")),
        ("status:>=500", Compare("status", ">=", "500")),
        ("status:4*", Prefix("status", "4")),
        ("user.id:42", Equal("user.id", "42")),
        ("severity:>=warn", Compare("severity", ">=", "warn")),
        ("severity:error", Range("severity", "error", "error")),
        ("duration:>200ms", Compare("duration", ">", "200ms")),
        ("client:10.0.0.0/8", Network("client", "10.0.0.0/8")),
        ('client:"10.0.0.0/8"', Equal("client", "10.0.0.0/8")),
        ("method:(GET OR HEAD)", any_of([Equal("method", "GET"), Equal("method", "HEAD")])),
        (
            "path:(/a OR /^.b/ -c)",
            any_of([Equal("path", "/a"), all_of([Match("path", "^.b"), Not(Equal("path", "c"))])]),
        ),
        ("since:2h", When("since", "2h")),
        ("from:2026-11-22T10:00 to:now", all_of([When("from", "2026-11-22T10:00"), When("to", "now")])),
        ('since:"2026-11-22 10:00"', When("since", "2026-11-22 10:00")),
    ],
)
def test_texts_of_a_condition(text: str, expected: Condition) -> None:
    assert parse(text).where == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("| count by status", (Grouping(Measure("count"), ("status",)),)),
        ("error | top path", (Top(10, ("path",)),)),
        ("| top 3 method,path", (Top(3, ("method", "path")),)),
        ("| every 10s count", (Grouping(Measure("count"), (), "10s"),)),
        ("| every 1m", (Grouping(Measure("count"), (), "1m"),)),
        ("| every 1m by status", (Grouping(Measure("count"), ("status",), "1m"),)),
        ("| p99 bytes by section", (Grouping(Measure("p99", "bytes"), ("section",)),)),
        ("| count by status | sort -count", (Grouping(Measure("count"), ("status",)), Sort("count", descending=True))),
        ("x | sort bytes", (Sort("bytes"),)),
    ],
)
def test_texts_of_stages(text: str, expected: tuple[Stage, ...]) -> None:
    assert parse(text).stages == expected


@pytest.mark.parametrize(
    ("text", "at", "told"),
    [
        ("status:", 7, 'status:* for any value, or "status:"'),
        ('agent:"a', 6, 'The " is never closed'),
        ("'a", 0, "The ' is never closed"),
        ('agent:"a"b', 6, "Behind the closing quote stands more"),
        ("(a OR b", 0, "The '(' is never closed"),
        ("((a)", 0, "The '(' is never closed"),
        ('(a "(" b', 0, "The '(' is never closed"),
        ("a)", 1, "The ')' has no '('"),
        ("()", 1, "nothing stands between them"),
        ("a OR", 4, "ends where something is still expected"),
        ("a |", 3, "ends where something is still expected"),
        ("a || b", 3, "words"),
        ("OR a", 0, "cannot go on"),
        ('""', 0, "An empty text"),
        ("x /a(b/", 4, "a '(' that is not closed"),
        ("/a(?=b)/", 3, "look-around"),
        (r"/(a)\1/", 4, "back-reference"),
        ("/a++/", 3, "possessive"),
        ("/(?>a)/", 2, "only (?:…)"),
        (r"/\pL/", 1, "means nothing here"),
        ("/*a/x /+/", 7, "nothing before it"),
        ("path:/[z-a]/", 7, "turned round"),
        ("path:/a{3,1}/", 7, "turned round"),
        ("/(a{1000}){1000}/", 1, "too large"),
        ("/[a/", 1, "a '[' that is not closed"),
        ("| limit -1", 8, "a whole number from 0"),
        ("| limit ten", 8, "a whole number from 0"),
        ("| top -3 path", 6, "a whole number from 0"),
        ("| cuont by status", 2, "Did you mean 'count'?"),
        ("| every 0s count", 8, "not a whole number of seconds"),
        ("| every count", 8, "is no duration"),
        ("| p99 path", 6, "path is no number"),
        ("| count by", 10, "Here the fields stand"),
        ("| sort bytes | count", 15, "Only the first"),
        ("| count x", 8, "Nothing is expected here"),
        ("status:599..500", 7, "turned round"),
        ("status:500..", 7, "A range has two ends"),
        ("status:abc", 7, "status is a whole number"),
        ("status:>=", 9, "status is a whole number"),
        ("path:>=x", 7, "compared as a number"),
        ("severity:loud", 9, "trace, debug, info"),
        ("duration:5y", 9, "is a duration"),
        ("parsed:yes", 7, "true or false"),
        ("client:10.0.0.0/99", 7, "is no network"),
        ("since:soon", 6, "is no moment"),
        ("@nobody", 0, "no saved search named 'nobody'"),
    ],
)
def test_a_caret_stands_where_understanding_ends(text: str, at: int, told: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert told in str(caught.value)
    assert caught.value.at == at
    assert str(caught.value).endswith("\n  " + " " * at + "^")


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "(" * 500_000 + "a" + ")" * 500_000,
        "a " * 500_000,
        "(" * (LONGEST // 2),
        "(" * 51 + "a" + ")" * 51,
        "a OR " * 1999 + "a",
        "/" + "(" * 41 + "a" + ")" * 41 + "/",
    ],
)
def test_what_is_too_large_is_refused_at_once(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert len(str(caught.value)) < 3 * LONGEST


@pytest.mark.parametrize(
    "text", ["NOT " * 2000 + "a", "-(" * 24 + "a b" + ")" * 24, "(" * 50 + "a" + ")" * 50, "a " * 500]
)
def test_what_is_only_odd_is_read(text: str) -> None:
    assert parse(str(parse(text))) == parse(text)


def test_a_saved_search_stands_for_its_text() -> None:
    saved = {"errors": "status:5xx OR error", "busy": "@errors -path:/health", "paths": "@errors | top path"}
    assert parse("@errors x", saved).where == parse("(status:5xx OR error) x").where
    assert parse("@busy", saved).where == parse("(status:5xx OR error) -path:/health").where
    assert parse("@paths x", saved) == parse("(status:5xx OR error) x | top path")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a @erors", "Did you mean 'errors'?"),
        ("a @loop", "or itself"),
        ("a @broken", "does not work"),
        ("@paths | count", "counts already"),
    ],
)
def test_a_saved_search_that_cannot_stand_there_is_told(text: str, told: str) -> None:
    saved = {"errors": "error", "loop": "@loop", "broken": "(", "paths": "| top path"}
    with pytest.raises(QueryError, match=told.replace("?", "[?]")):
        parse(text, saved)


def test_bytes_that_are_no_text_do_not_matter() -> None:
    assert parse("a\udcff") == parse("a\ufffd")


@given(texts)
def test_a_field_of_a_line_is_text_in_quotes(text: str) -> None:
    assert parse(str(Text(text))).where == Text(text)


def test_every_field_is_a_column_of_its_table() -> None:
    for one in FIELDS.values():
        tables = [one.table] if one.table else list(RECORD_TABLES)
        assert all(one.column in RECORD_TABLES[table] for table in tables)
        assert not one.table or all(
            one.column not in schema for table, schema in RECORD_TABLES.items() if table != one.table
        )
