"""What rules take out of lines is gone, and everything else is as it was: held against Python's own engine."""

import hmac
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.errors import QueryError, UsageError
from heeler.ingest.redaction import Redaction, Rule, hashing, matcher, replacing
from heeler.model import Chunk, SourceEvent

ADDRESS = r"\b\d{1,3}(\.\d{1,3}){3}\b"
PATTERNS = [ADDRESS, r"token=[^&\s]+", r"^a+", r"b+$", r"(?i)secret", r"\d.\d", "é", r"[^a-z ]", r"\s\S", "x|yy", "."]
KEY = b"0123456789abcdef"

LINES = st.lists(
    st.text("ab12.é =&xyS\t\0\r-", max_size=12).map(str.encode)
    | st.sampled_from(
        [b"1.2.3.4", b"token=a\xff&b", b"\xc3(\xe9", b"", b"sEcReT", b"255.255.255.255 1.1.1.1", b"token="]
    ),
    max_size=8,
).map(b"\n".join)


def expected(data: bytes, pattern: str, replacement: bytes) -> tuple[bytes, int]:
    """Redact UTF-8 text with Python's engine, line by line."""
    engine = matcher(pattern).replace(r"\z", r"\Z")
    lines, total = [], 0
    *complete, last = data.split(b"\n")
    for line in [*complete, last]:
        whole = line if line is last else line.removesuffix(b"\r")
        ends = line[len(whole) :]
        redacted, count = re.subn(engine, replacement.decode(), whole.decode(), flags=re.ASCII)
        lines.append(redacted.encode() + ends)
        total += count
    return b"\n".join(lines), total


@given(LINES.filter(lambda data: data.decode("utf-8", "ignore").encode() == data), st.sampled_from(PATTERNS))
def test_what_is_found_is_replaced_as_another_engine_would(data: bytes, pattern: str) -> None:
    redacted, counts = Redaction([Rule("r", matcher(pattern), replacing("<>"))]).apply(data)

    assert (redacted, counts.get("r", 0)) == expected(data, pattern, b"<>")


@given(LINES, st.lists(st.sampled_from(PATTERNS), max_size=3), st.sampled_from(["", "<>", "é"]))
def test_lines_stay_as_many_with_their_endings_whatever_the_bytes(data: bytes, patterns: list[str], by: str) -> None:
    rules = [Rule(f"r{number}", matcher(one), replacing(by)) for number, one in enumerate(patterns)]

    redacted, counts = Redaction(rules).apply(data)

    assert redacted.count(b"\n") == data.count(b"\n")
    assert re.findall(rb"\r?\n", redacted) == re.findall(rb"\r?\n", data) or by == ""
    assert (redacted is data) == (not counts)


@given(LINES, LINES)
def test_lines_are_redacted_the_same_wherever_they_are_cut(one: bytes, other: bytes) -> None:
    redaction = Redaction([Rule("ip", matcher(ADDRESS), hashing(KEY)), Rule("t", matcher(PATTERNS[1]), replacing("*"))])
    whole, counts = redaction.apply(one + b"\n" + other)
    first, second = redaction.apply(one + b"\n"), redaction.apply(other)

    assert whole == first[0] + second[0]
    assert {name: first[1].get(name, 0) + second[1].get(name, 0) for name in counts} == counts


@given(LINES)
def test_nothing_that_the_rule_means_is_left(data: bytes) -> None:
    redacted, _ = Redaction([Rule("ip", matcher(ADDRESS), replacing("-"))]).apply(data)

    assert not re.search(rb"(?<![0-9A-Za-z_.])\d{1,3}(\.\d{1,3}){3}(?![0-9A-Za-z_.])", redacted)


def test_equal_addresses_stay_equal_and_others_do_not() -> None:
    redaction = Redaction([Rule("ip", matcher(ADDRESS), hashing(KEY))])

    redacted, counts = redaction.apply(b"192.0.2.1 a\n192.0.2.2 a\r\n192.0.2.1 b 192.0.2.1")

    one, other = (hmac.new(KEY, text, "sha256").hexdigest()[:16].encode() for text in (b"192.0.2.1", b"192.0.2.2"))
    assert redacted == b"%b a\n%b a\r\n%b b %b" % (one, other, one, one)
    assert counts == {"ip": 4}
    assert Redaction([Rule("ip", matcher(ADDRESS), hashing(KEY[::-1]))]).apply(b"192.0.2.1")[0] != one


def test_a_rule_sees_what_the_one_before_it_left() -> None:
    rules = [Rule("a", matcher("a"), replacing("b")), Rule("b", matcher("b"), replacing("c"))]

    assert Redaction(rules).apply(b"ab\n") == (b"cc\n", {"a": 1, "b": 2})


@pytest.mark.parametrize("pattern", ["", "a*", "x?", r"\b", "^", "$", "a|", r"\B"])
def test_a_pattern_that_finds_nothing_at_all_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="also finds nothing at all"):
        matcher(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+(?=b)", r"(a)\1", "(?P<n>a)", "a++", "[", "("])
def test_a_pattern_that_is_not_linear_or_wrong_is_refused_with_its_place(pattern: str) -> None:
    with pytest.raises(QueryError, match=r"\^$"):
        matcher(pattern)


def test_a_replacement_is_taken_as_it_is() -> None:
    """A backslash in it refers to no group."""
    assert Redaction([Rule("r", matcher("(a)"), replacing(r"\1\0"))]).apply(b"xa")[0] == rb"x\1\0"


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("(a+)+x", b"a" * 200_000),
        ("(a|aa)*b", b"a" * 200_000),
        (r"(.*)(.*)(.*)[0-9]z", b"7" * 100_000),
        (r"\d{1,3}(\.\d{1,3}){3}x", b"1.1.1.1." * 25_000),
        ("a", b"\xff\0a" * 100_000),
    ],
)
@pytest.mark.timeout(20)
def test_hostile_lines_take_linear_time(pattern: str, line: bytes) -> None:
    """A backtracking engine would need longer than the universe; the limit of time is generous."""
    rule = Rule("r", matcher(pattern), replacing("<>"))

    redacted, counts = Redaction([rule]).apply(line + b"\nnext\n")

    assert redacted.count(b"\n") == 2
    assert counts.get("r", 0) == (100_000 if pattern == "a" else 0)


def chunk(data: bytes, unfinished: int = 0) -> Chunk:
    return Chunk("p", data, {"offset": 7}, 1, (SourceEvent("e", "m"),), unfinished, path="x", keys=("k",))


REDACTION = Redaction([Rule("ip", matcher(ADDRESS), replacing("-"))])


def test_a_chunk_keeps_everything_but_its_lines() -> None:
    before = chunk(b"192.0.2.1 a\n")
    after, counts = REDACTION.redacted(before)

    assert counts == {"ip": 1}
    assert after == replace(before, data=b"- a\n")
    assert REDACTION.redacted(chunk(b"none\n"))[0] == chunk(b"none\n")


@given(LINES, st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"1.2.3.4")))
def test_an_unfinished_line_is_counted_as_long_as_it_is_after_redaction(lines: bytes, tail: bytes) -> None:
    after, _ = REDACTION.redacted(chunk(lines + b"\n" + tail, len(tail)))

    assert after.unfinished_bytes == len(after.data) - (after.data.rfind(b"\n") + 1)
    assert after.data.endswith(REDACTION.apply(tail)[0])
