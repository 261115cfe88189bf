"""Where keys and values of a TOML text stand, held against what the parser of the standard library reads there."""

import json
import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.config.places import DEEPEST, KeyPath, TooDeep, places_in

KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=6).map(json.dumps),
    st.from_regex(r"'[^'\x00-\x1f\x7f\ud800-\udfff]{0,5}'", fullmatch=True),
)
SCALARS = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.sampled_from(["true", "1.5", "1979-05-27 07:32:00", "07:32:00", "nan", "0x1F"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=9).map(json.dumps),
    st.sampled_from(
        ["'a # ] } b'", '"""x\n"quoted" # ] """', "'''it's\n[a]\nb = 1'''", '"""a""""', "''", '"""\\\n  x"""']
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[ " + " , # in it\n ".join(items) + "\n]"),
        st.lists(st.tuples(KEYS, inner), max_size=3).map(
            lambda pairs: "{ " + ", ".join(f"{key} = {one}" for key, one in pairs).replace("# in it", "") + " }"
        ),
    ),
    max_leaves=6,
)
LINES = st.one_of(
    st.tuples(st.lists(KEYS, min_size=1, max_size=3).map(" . ".join), VALUES).map(" = ".join),
    st.lists(KEYS, min_size=1, max_size=3).map(lambda keys: f"[ {' . '.join(keys)} ] # a table"),
    st.lists(KEYS, min_size=1, max_size=2).map(lambda keys: f"[[{'.'.join(keys)}]]"),
    st.sampled_from(["", "# a = 1", "\t# [x]"]),
)


def paths_of(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    if path:
        yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from paths_of(one, (*path, key))


@given(st.lists(LINES, max_size=12))
def test_every_value_that_the_parser_reads_has_a_place_where_the_parser_reads_it_alone(lines: list[str]) -> None:
    kept: list[str] = []
    for line in lines:  # what makes the text wrong is left out
        try:
            tomllib.loads("\n".join([*kept, line]))
        except tomllib.TOMLDecodeError:
            continue
        kept.append(line)
    text = "\n".join(kept)
    values = dict(paths_of(tomllib.loads(text)))

    places = places_in(text)

    assert places.keys() == values.keys()
    for path, (key, begin, end) in places.items():
        written = text[begin:end]
        if begin == key and not isinstance(path[-1], int):
            # Of a table made by a header or a dotted key it is the key itself.
            assert tomllib.loads(f"{written} = 1") == {path[-1]: 1}
        elif begin != key:
            (read,) = tomllib.loads(f"x = {written}").values()
            assert repr(read) == repr(values[path])  # nan is not equal to itself
            (named,) = tomllib.loads(f"{text[key:begin].rpartition('=')[0]} = 1")
            assert named == path[-1]


def test_tables_of_an_array_have_each_their_place() -> None:
    text = "[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 3\n"

    places = places_in(text)

    assert [text[places[path].value] for path in [("a", 0, "b"), ("a", 1, "b"), ("a", 1, "c", "d")]] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * (DEEPEST + 1)) + " = 1",
        "[" + ".".join(["a"] * (DEEPEST + 1)) + "]",
        "a = " + "[" * (DEEPEST + 1) + "1" + "]" * (DEEPEST + 1),
        "a = " + "{a=" * DEEPEST + "1" + "}" * DEEPEST,
    ],
)
def test_what_is_nested_too_deep_is_refused(text: str) -> None:
    with pytest.raises(TooDeep):
        places_in(text)
