"""Hostile lines: no format raises, loses a line, changes a byte, or lets one line change what another one means."""

from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heeler.formats import Format, members_of, render
from heeler.formats.choose import FORMATS, format_of, guesses
from heeler.formats.definitions import catalog_entries, restored
from heeler.formats.lines import split
from heeler.formats.nested import Nested
from heeler.formats.timestamps import Receipt
from heeler.formats.w3c import W3c

RECEIPT = Receipt(1_795_348_800_000_000)  # 2026-11-22T12:00:00Z
SAMPLES = {name: [sample["line"].encode() for sample in entry["samples"]] for name, entry in catalog_entries().items()}
CARRIED = [FORMATS[name] for name in ("combined", "heroku_router", "caddy", "json", "logfmt")]
W3C = W3c("w3c", {"fields": "date time c-ip cs-method cs-uri-stem sc-status time-taken"})
ALL: dict[str, Format] = {
    **{name: known for name, known in FORMATS.items() if name in SAMPLES},
    **{
        f"{name} with others": Nested(FORMATS[name], CARRIED)
        for name in ("syslog", "rfc5424", "docker", "docker_compose")
    },
    "w3c": W3C,
}
OTHERS = [line for lines in SAMPLES.values() for line in lines]
PIECES = (
    *(b"", b" ", b"\t", b"\r", b"\0", b'"', b'\\"', b"\\", b"{", b"}", b"[", b"]", b"=", b":", b"<", b">", b"-", b"'"),
    *(b"\x1b[31m", b"\x1b[0m", b"\x1b", b"\xff\xfe", b"caf\xc3\xa9", b"\xe2\x80\xa8", b"\xc2\x9b", b"\xf0\x9f\x90\x95"),
    *(
        b"9" * 30,
        b"00",
        b"99",
        b"null",
        b"NaN",
        b"1e999",
        b"\\u0000",
        b"\\ud800",
        b'{"a":' * 40,
        b"#Fields: date time x y",
    ),
    *(b' {"level":"error","msg":"in"}', b' 192.0.2.1 - - [22/Nov/2026:10:15:40 +0000] "GET / HTTP/1.1" 200 5'),
)


def mutated(lines: list[bytes]) -> st.SearchStrategy[bytes]:
    """Lines of a format, some cut, some with pieces put in, some of other formats or none."""

    @st.composite
    def one(draw: Callable[[st.SearchStrategy[object]], object]) -> bytes:
        line = draw(st.sampled_from([*lines, *lines, *OTHERS, b""]))
        assert isinstance(line, bytes)
        for _ in range(int(str(draw(st.integers(0, 2))))):
            start, end = sorted(int(str(draw(st.integers(0, len(line))))) for _ in range(2))
            piece = draw(st.sampled_from(PIECES))
            assert isinstance(piece, bytes)
            line = line[:start] + piece + line[min(end, start + 3) :]
        return line.replace(b"\n", b"")

    return one()


def written(known: Format, frame: pl.DataFrame) -> list[bytes]:
    """Render a frame, each row by its own format, as it is restored from what is stored."""
    members = [restored(one.name, one.table, one.text) for one in members_of(known)]
    if "member" not in frame.columns:
        return render(members[0], frame).to_list()
    numbered = frame.with_row_index("row")
    lines: dict[int, bytes] = {}
    for number, member in enumerate(members):
        mine = numbered.filter(pl.col("member") == number)
        lines |= dict(zip(mine["row"].to_list(), render(member, mine).to_list(), strict=True))
    return [lines[row] for row in range(frame.height)]


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=15)
@given(data=st.data())
def test_every_line_is_a_row_that_renders_to_its_bytes(name: str, data: st.DataObject) -> None:
    known = ALL[name]
    lines = data.draw(st.lists(mutated(SAMPLES.get(name.partition(" ")[0], OTHERS)), max_size=6))
    ending = data.draw(st.sampled_from([b"\n", b"\r\n"]))
    raw = ending.join(lines) + data.draw(st.sampled_from([b"", ending]))
    parsed = known.parse(split(raw), None, RECEIPT)
    assert b"".join(written(known, parsed)) == raw
    assert parsed.height == len(split(raw))
    assert parsed["parsed"].null_count() == 0
    assert set(known.columns) <= set(parsed.columns)


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("syslog_clock", "w3c")])
@settings(max_examples=8)
@given(data=st.data())
def test_a_line_means_the_same_alone_and_among_others(name: str, data: st.DataObject) -> None:
    known = ALL[name]
    lines = data.draw(st.lists(mutated(SAMPLES.get(name.partition(" ")[0], OTHERS)), min_size=2, max_size=5))
    together = known.parse(split(b"\n".join(lines) + b"\n"), None, RECEIPT)
    alone = [known.parse(split(line + b"\n"), None, RECEIPT) for line in lines]
    columns = [column for column in together.columns if all(column in one.columns for one in alone)]
    assert together.select(columns).rows() == pl.concat([one.select(columns) for one in alone]).rows()


@pytest.mark.parametrize("name", ALL)
def test_columns_asked_for_alone_are_those_of_all(name: str) -> None:
    known = ALL[name]
    raw = b"\n".join([*SAMPLES.get(name, []), *OTHERS])
    whole = known.parse(split(raw), None, RECEIPT)
    for column in known.columns:
        some = known.parse(split(raw), {column}, RECEIPT)
        assert some[column].to_list() == whole[column].to_list()
        assert some["parsed"].to_list() == whole["parsed"].to_list()


@given(st.binary(max_size=400))
def test_a_format_can_be_chosen_by_any_bytes(raw: bytes) -> None:
    known = format_of(raw)
    parsed = known.parse(split(raw), None, RECEIPT)
    assert b"".join(written(known, parsed)) == raw


@given(st.lists(mutated(OTHERS), max_size=8))
def test_a_format_can_be_chosen_by_any_lines(lines: list[bytes]) -> None:
    raw = b"\n".join(lines)
    for guess in guesses(split(raw)):
        assert 0 < guess.rate <= 1
        parsed = guess.format.parse(split(raw), None, RECEIPT)
        assert b"".join(written(guess.format, parsed)) == raw


EVIL = (
    b"[" * 20_000,
    b'{"a":' * 20_000,
    b'x="' * 20_000,
    b"=" * 20_000,
    b" " * 20_000,
    b"<1>1 - - - - - " + b'[a b="' * 9_000,
)


@pytest.mark.parametrize("line", EVIL)
def test_no_line_keeps_a_format_busy(line: bytes) -> None:
    """All formats together read the line; one that took quadratic time would need minutes for it."""
    raw = (line + b"\n") * 3
    for known in ALL.values():
        assert b"".join(written(known, known.parse(split(raw), None, RECEIPT))) == raw
