"""JSON lines and logfmt: row by row, exact by construction, whatever the lines hold."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.formats import render
from heeler.formats.choose import FORMATS
from heeler.formats.jsonlines import Json, objects
from heeler.formats.lines import split
from heeler.formats.logfmt import Logfmt, pairs
from heeler.formats.timestamps import Receipt

RECEIPT = Receipt(1_795_348_800_000_000)  # 2026-11-22T12:00:00Z
GOOD = '{"time":"2026-11-22T10:15:40.123456789Z","level":"warn","msg":"good","pid":7}'


def read(name: str, *lines: str) -> list[dict[str, Any]]:
    return FORMATS[name].parse(split("".join(line + "\n" for line in lines).encode()), None, RECEIPT).to_dicts()


@pytest.mark.parametrize(
    "other",
    [
        *(
            '{"time":',
            "",
            "{}",
            "[1]",
            '"x"',
            "null",
            '{"a":1}x',
            "no",
            '{"level":{"a":[1]},"msg":[1,2],"time":{"x":1}}',
        ),
        *('{"level":1e999,"pid":true,"time":-1,"msg":null}', '{"msg":"\\ud800"}', '{"msg":"\\u0000"}', '{"a":' * 5000),
        *(
            '{"level":"warn","level":7,"time":5,"time":"x"}',
            '{"msg":"' + "x" * 100_000 + '"}',
            "{" + '"a":1,' * 5000 + '"b":2}',
        ),
    ],
)
def test_no_line_changes_what_another_one_means(other: str) -> None:
    alone = read("json", GOOD)[0]
    first, odd, last = read("json", GOOD, other, GOOD)
    assert first == last == alone
    assert odd["raw"] is not None or odd["attributes"] == other


def test_of_a_key_that_is_given_twice_the_first_counts() -> None:
    (row,) = read("json", '{"msg":"a","msg":"b","level":"error","level":"info"}')
    assert (row["message"], row["severity"]) == ("a", 17)


def test_types_may_drift_from_line_to_line() -> None:
    rows = read(
        "json",
        '{"msg":1,"level":30}',
        '{"msg":{"a":1},"level":"30"}',
        '{"msg":true,"level":"ERROR"}',
        '{"msg":"x","level":3}',
    )
    assert [row["message"] for row in rows] == ["1", '{"a":1}', "true", "x"]
    assert [row["severity"] for row in rows] == [9, 9, 17, 17]


def test_names_with_dots_are_keys_or_paths() -> None:
    fits, found = objects(pl.Series(['{"a.b":1}', '{"a":{"b":2}}', '{"a.b":3,"a":{"b":4}}', '{"a":"b"}']), ["a.b"])
    assert (fits.all(), found["a.b"].to_list()) == (True, ["1", "2", "3", None])


def test_many_names_are_read_as_few_are() -> None:
    text = pl.Series([GOOD, '{"instant":{"epochSecond":5}}', "no"])
    few = {name: objects(text, [name])[1][name].to_list() for name in ("time", "msg", "instant.epochSecond", "absent")}
    many = objects(text, [*few, *(f"key{number}" for number in range(40))])[1]
    assert {name: many[name].to_list() for name in few} == few


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["msg", "level", "time", "pid", "x", "host"]), JSON, max_size=6), max_size=6
    )
)
def test_fields_are_what_pythons_reader_says(lines: list[dict[str, Any]]) -> None:
    text = [json.dumps(line) for line in lines]
    fits, found = objects(pl.Series(text, dtype=pl.String), ["msg", "pid"])
    for line, whole, message, fit in zip(lines, text, found["msg"], fits, strict=True):
        valid = "\\ud8" not in whole and "\\udc" not in whole and "\\udd" not in whole
        if valid and isinstance(line.get("msg"), str):
            assert (message, fit) == (line["msg"], True)
        if valid and line.get("msg", None) is None:
            assert message is None


# --- logfmt ---


@pytest.mark.parametrize(
    ("line", "level", "message"),
    [
        ("level=error msg=no", 17, "no"),
        ('msg="say level=info and \\"quote\\"" level=error', 17, 'say level=info and "quote"'),
        ('msg="a\\nb\\\\" level=warn', 13, "a\nb\\"),
        ('msg="unicode \\u00e9" level=warn', 13, "unicode é"),
        ("level=info msg= x", 9, ""),
        ("level=info k=v msg", 9, None),
        ("level=info level=error msg=first msg=second", 9, "first"),
        ("msg=ünï level=info", 9, "ünï"),
    ],
)
def test_a_line_of_logfmt_is_its_pairs(line: str, level: int, message: str | None) -> None:
    (row,) = read("logfmt", line)
    assert (row["severity"], row["message"] or None, row["attributes"]) == (level, message or None, line)


@pytest.mark.parametrize("line", ["just words", "a=b and more", 'a="b', "=x", '"a"=b', "", "{}", 'a=b"c'])
def test_what_is_no_logfmt_does_not_parse(line: str) -> None:
    (row,) = read("logfmt", line)
    assert row["raw"] == line.encode()


VALUES = st.sampled_from(["1", "", "a b", "level=info", "x level=info y", "\\n", '\\"', "=", " k= ", "é", "a=b=c"])


@given(
    st.lists(st.tuples(st.sampled_from(["level", "msg", "k", "x.y"]), VALUES, st.booleans()), min_size=1, max_size=6)
)
def test_the_short_way_finds_what_the_long_way_finds(fields: list[tuple[str, str, bool]]) -> None:
    needs_quotes = frozenset(" \\=")
    line = " ".join(
        f'{key}="{value}"' if quotes or needs_quotes & set(value) else f"{key}={value}" for key, value, quotes in fields
    )
    names = ["level", "msg", "k", "x.y"]
    _, found = Logfmt("mine", {"columns": {"message": ["msg"]}}).extract(pl.Series([line]), names)
    every = pairs(pl.Series([line]))
    for name in names:
        mine = every.filter(pl.col("key") == name)["value"].to_list()
        assert found[name].to_list() == (mine[:1] or [None])


def test_a_line_that_requires_something_else_is_kept_whole() -> None:
    known = Json("mine", {"columns": {"message": ["m"]}, "requires": ["a|b", "c"]})
    raw = b'{"m":"1","a":1,"c":1}\n{"m":"2","b":1,"c":1}\n{"m":"3","a":1}\n{"m":"4","c":1}\n'
    rows = known.parse(split(raw), None, RECEIPT)
    assert rows["message"].to_list() == ["1", "2", None, None]
    assert rows["parsed"].to_list() == [True, True, False, False]
    assert b"".join(render(known, rows).to_list()) == raw


JSON_TEXTS = st.text(alphabet='{}[]",:\\0ae-+.NI/ \t\n', max_size=6)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2), JSON_TEXTS), min_size=1, max_size=4))
def test_a_broken_line_changes_nothing_of_its_neighbours(changes: list[tuple[int, int, str]]) -> None:
    """One line that is no JSON lets all lines of a chunk be read in the careful way, which must mean the same."""
    line = '{"a":"x\\ny","b":[1,2.5e3,{"c":null}],"d":true}'
    texts = [line[:at] + text + line[at + length :] for at, length, text in changes]
    together, fields = objects(pl.Series([*texts, "{broken"]), ["a", "b.c", "d"])
    for at, text in enumerate(texts):
        alone, own = objects(pl.Series([text]), ["a", "b.c", "d"])
        assert (together[at], {name: one[at] for name, one in fields.items()}) == (
            alone[0],
            {name: one[0] for name, one in own.items()},
        )
    assert not together[-1]
