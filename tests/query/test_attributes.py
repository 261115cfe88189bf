"""Attributes are found in JSON and logfmt, whatever these hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.query.attributes import attribute, names_in


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ('{"a": 1}', "a", "1"),
        ('{"a": 1.50}', "a", "1.50"),
        ('{"a": 1e999}', "a", "1e999"),
        ('{"a": 12345678901234567890}', "a", "12345678901234567890"),
        ('{"a": true, "b": false, "c": null}', "a", "true"),
        ('{"a": true, "b": false, "c": null}', "c", None),
        ('{"a": "x", "a": "y"}', "a", "y"),
        ('{"user": {"id": 42}}', "user.id", "42"),
        ('{"user.id": 1, "user": {"id": 42}}', "user.id", "1"),
        ('{"a": {"b.c": {"d": 3}}}', "a.b.c.d", "3"),
        ('{"a": [5, {"b": 6}]}', "a.1.b", "6"),
        ('{"a": [5]}', "a.7", None),
        ('{"a": {"b": [1, 2.0, "x"]}}', "a", '{"b":[1,2.0,"x"]}'),
        ('{"a": "\\u0041\\n"}', "a", "A\n"),
        ('{"a": "\\ud800"}', "a", "\ufffd"),
        ('  {"a": ""}', "a", ""),
        ('{"a": ', "a", None),
        ('{"a": 1} x', "a", None),
        ("[1]", "0", None),
        ("a=1 b=two", "b", "two"),
        ("a=1 a=2", "a", "2"),
        ('a="x \\"y\\" \\n" b=1', "a", 'x "y" \n'),
        ('a="" b=', "a", ""),
        ('a="" b=', "b", ""),
        ("a b=1", "a", "true"),
        ("user.id=42", "user.id", "42"),
        ("ab=1", "b", None),
        ("", "a", None),
        (None, "a", None),
    ],
)
def test_attributes(text: str | None, name: str, expected: str | None) -> None:
    assert attribute(text, name) == expected


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=4), json_values, max_size=4))
def test_every_key_of_an_object_is_found(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    assert {name for name in names_in(text) if name in value} == set(value)
    for key, one in value.items():
        found = attribute(text, key)
        expected = (
            one if isinstance(one, str) or one is None else json.dumps(one, ensure_ascii=False, separators=(",", ":"))
        )
        assert found == expected


@given(st.text(max_size=30), st.text(min_size=1, max_size=3))
def test_no_text_is_an_error(text: str, name: str) -> None:
    for one in (text, "{" + text, '{"a": ' + text):
        found = attribute(one, name)
        assert found is None or isinstance(found, str)
        assert all(isinstance(key, str) for key in names_in(one))


def test_deep_nesting_is_no_error() -> None:
    assert attribute('{"a":' * 100_000, "a") is None
    assert list(names_in('{"a":' * 100_000)) == []
