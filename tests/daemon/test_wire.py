"""What one process packs, the other unpacks: the same rows, counts, events and keys, whatever they are."""

import asyncio
import json
import struct
from collections.abc import Mapping
from contextlib import AsyncExitStack

import polars as pl
import pytest
from batches import batch
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from heeler.daemon.packing import FormatKey, formats_in, packed_tick, unpacked_tick
from heeler.daemon.wire import (
    LONGEST_BLOBS_BYTES,
    LONGEST_HEAD_BYTES,
    Message,
    Rooms,
    receive,
)
from heeler.errors import EnvironmentFailed
from heeler.formats import Format, members_of
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.choose import FORMATS, PLAIN
from heeler.formats.nested import Nested
from heeler.model import SourceEvent
from heeler.store import AlertRow, Batch, Completed
from heeler.store.records import complete

OURS = 1000
"""How far the ids of the lake are from those of the sender."""

COMBINED = ACCESS_FORMATS["combined"]
REQUEST = b'10.0.0.1 - - [22/Nov/2026:10:00:0%d +0000] "GET /%s/x HTTP/1.1" 200 5 "-" "curl"\n'
NESTED = Nested(FORMATS["docker"], [COMBINED])
CHOICE: tuple[Format, ...] = (PLAIN, COMBINED, NESTED)

lines = st.one_of(
    st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"") + b"\n"),
    st.builds(lambda second, section: REQUEST % (second, section), st.integers(0, 9), st.sampled_from([b"a", b"b"])),
    st.integers(0, 9).map(
        lambda second: (
            json.dumps(
                {"log": (REQUEST % (second, b"c")).decode(), "stream": "stdout", "time": f"2026-11-22T10:00:0{second}Z"}
            ).encode()
            + b"\n"
        )
    ),
)
texts = st.text(max_size=8)
positions = st.dictionaries(texts, st.one_of(st.integers(-(2**63), 2**63 - 1), texts, st.booleans(), st.none()))
events = st.lists(
    st.builds(SourceEvent, texts, texts, st.one_of(st.none(), st.integers(-1, 2**60)), st.booleans()), max_size=2
)
alerts = st.lists(st.builds(AlertRow, texts, texts, st.integers(0, 9), st.integers(0, 2**50), st.integers(-720, 840)))


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    data = b"".join(draw(st.lists(lines, max_size=5)))
    end = draw(st.sampled_from(["whole", "unfinished", "piece"]))
    tail = b"" if end == "whole" else draw(st.binary(min_size=1, max_size=9)).replace(b"\n", b".")
    return batch(
        data + tail,
        source=draw(texts),
        part=draw(texts),
        position=draw(positions),
        known=draw(st.sampled_from(CHOICE)),
        unfinished_bytes=len(tail) if end == "unfinished" else 0,
        piece=end == "piece",
        events=draw(events),
        keys=draw(st.lists(texts, max_size=3)),
    )


def key_of(known: Format) -> FormatKey:
    return known.name, known.table, known.text


ALL = [member for known in CHOICE for member in members_of(known)]
THEIRS = {key_of(known): number for number, known in enumerate(ALL, 1)}


def completed(one: Batch) -> Completed:
    return complete(one, [THEIRS[key_of(member)] for member in members_of(one.format)])


def through_a_stream(packed: bytes) -> Message | None:
    async def read() -> Message | None:
        reader = asyncio.StreamReader()
        reader.feed_data(packed)
        reader.feed_eof()
        async with AsyncExitStack() as held:
            return await receive(reader, Rooms(), held)

    return asyncio.run(read())


def same_frames(one: Mapping[str, pl.DataFrame], other: Mapping[str, pl.DataFrame]) -> None:
    assert list(one) == list(other)
    for name, frame in one.items():
        assert_frame_equal(frame, other[name])


@given(st.lists(batches(), max_size=3), alerts)
def test_what_is_packed_is_unpacked(given_batches: list[Batch], given_alerts: list[AlertRow]) -> None:
    sent = [completed(one) for one in given_batches]

    message = through_a_stream(packed_tick(sent, given_alerts).packed())
    assert message is not None
    formats = formats_in(message)
    ids = {key: THEIRS[key] + OURS for key in formats}
    got, got_alerts = unpacked_tick(message, formats, ids)

    assert got_alerts == given_alerts
    assert len(got) == len(sent)
    for one, other in zip(sent, got, strict=True):
        assert_frame_equal(one.rows.with_columns(pl.col("format") + OURS), other.rows)
        same_frames(one.counted, other.counted)
        same_frames(one.counted_unfinished, other.counted_unfinished)
        assert {id_ + OURS: key_of(known) for id_, known in one.formats.items()} == {
            id_: key_of(known) for id_, known in other.formats.items()
        }
        for name in ("source", "part", "position", "group", "stream", "received_us", "bytes", "unfinished_bytes"):
            assert getattr(one.batch, name) == getattr(other.batch, name), name
        assert (one.batch.piece, one.batch.events, one.batch.keys) == (
            other.batch.piece,
            other.batch.events,
            other.batch.keys,
        )


def test_the_batches_of_the_test_fill_every_table() -> None:
    """Else the property above would hold of nothing."""
    docker = json.dumps({"log": (REQUEST % (1, b"a")).decode(), "stream": "stdout", "time": "2026-11-22T10:00:01Z"})
    one = completed(batch(docker.encode() + b"\nplain\n" + docker.encode(), known=NESTED, unfinished_bytes=len(docker)))
    assert one.rows["format"].n_unique() == 2
    assert {name for name, frame in one.counted.items() if frame.height} == {"hits", "rollup"}
    assert {name for name, frame in one.counted_unfinished.items() if frame.height} == {"hits", "rollup"}


@pytest.mark.parametrize(
    "packed",
    [
        struct.pack(">I", LONGEST_HEAD_BYTES + 1),
        struct.pack(">I", 4) + b"null",
        struct.pack(">I", 2) + b"{}",
        struct.pack(">I", 3) + b"\xff\xfe\x00",
        struct.pack(">I", 13) + b'{"blobs": -1}',
        struct.pack(">I", 15) + b'{"blobs": [-1]}',
        struct.pack(">I", 17) + b'{"blobs": [true]}',
        struct.pack(">I", 16) + b'{"blobs": ["a"]}',
        struct.pack(">I", 100_000) + b"[" * 100_000,
        Message({"do": "commit"}).packed()[:4] + b"x" * 30,
        struct.pack(">I", 21) + b'{"blobs": [%10d]}' % (LONGEST_BLOBS_BYTES + 1),
    ],
)
def test_what_is_no_message_is_refused_with_a_sentence(packed: bytes) -> None:
    with pytest.raises(EnvironmentFailed, match=r"no(ne| message) of Heeler's"):
        through_a_stream(packed)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_none_or_refused(packed: bytes) -> None:
    try:
        message = through_a_stream(packed)
    except EnvironmentFailed:
        return
    assert message is None or isinstance(message.head, dict)


def test_a_message_that_breaks_off_is_the_end() -> None:
    packed = Message({"do": "status"}, (b"12345",)).packed()
    for end in range(len(packed)):
        assert through_a_stream(packed[:end]) is None
    assert through_a_stream(packed) == Message({"do": "status", "blobs": [5]}, (b"12345",))
