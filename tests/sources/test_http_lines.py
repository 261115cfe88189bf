"""JSON lines and plain text stay what they are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.sources.http_lines import JsonLines, PlainText
from heeler.sources.http_request import MOST_STREAMS, Lines, Refused, Request


def decoded(receiver: PlainText, body: bytes) -> bytes:
    lines = Lines(1 << 20)
    receiver.decode(Request("POST", "/json", body=body), lines)
    return b"".join(lines.joined().values())


@given(st.binary(max_size=200))
def test_text_is_kept_byte_for_byte(body: bytes) -> None:
    assert decoded(PlainText(), body) == (body if not body or body.endswith(b"\n") else body + b"\n")


@given(st.binary(max_size=200).filter(lambda body: not body.lstrip().startswith(b"[")))
def test_so_are_json_lines_even_if_they_are_none(body: bytes) -> None:
    assert decoded(JsonLines(), body) == decoded(PlainText(), body)


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers(-(2**53), 2**53) | st.text(max_size=9)), max_size=5))
def test_an_array_becomes_a_line_for_each_element(records: list[dict[str, object]]) -> None:
    written = decoded(JsonLines(), json.dumps(records, indent=2).encode()).split(b"\n")[:-1]

    assert [json.loads(line) for line in written] == records


@pytest.mark.parametrize("body", [b"[1,", b"[" * 2000, b"[" * 900 + b"]" * 900, b"[\xff]", b"[x] error"])
def test_what_only_begins_like_an_array_is_kept(body: bytes) -> None:
    assert decoded(JsonLines(), body) == body + b"\n"


def test_a_key_is_that_of_its_sender_alone() -> None:
    def key(path: str, group: str, given: str) -> str:
        lines = Lines(1 << 20)
        request = Request("POST", path, {"group": group}, {"idempotency-key": given}, b"{}")
        return JsonLines().decode(request, lines).key

    assert key("/json", "a", "1") == key("/json", "a", " 1 ")
    assert len({key("/json", "a", "1"), key("/json", "b", "1"), key("/text", "a", "1"), key("/json", "a", "2")}) == 4
    assert key("/json", "a", "") == ""
    assert len(key("/json", "a", "x" * 9000)) < 60


def test_lines_are_bounded_in_bytes_and_in_streams() -> None:
    lines = Lines(10)
    lines.add("g", "s", b"12345\n")
    with pytest.raises(Refused, match="10 bytes"):
        lines.add("g", "s", b"12345\n")
    many = Lines(1 << 20)
    for number in range(MOST_STREAMS + 50):
        many.add("g", str(number), b"x\n")
    assert len(many.joined()) == MOST_STREAMS + 1
    assert many.joined()[("", "")] == b"x\n" * 50
