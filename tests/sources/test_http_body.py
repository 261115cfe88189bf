"""Bodies are decompressed as far as they may be, and not a step further."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import cramjam
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from heeler.sources.http_body import CODINGS, decompressed
from heeler.sources.http_request import Refused

MOST = 1 << 20


def raw_deflate(data: bytes) -> bytes:
    member = zlib.compressobj(wbits=-15)
    return member.compress(data) + member.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "snappy": lambda data: bytes(cramjam.snappy.compress_raw(data)),
}


def test_every_coding_is_tested() -> None:
    assert PACKERS.keys() == CODINGS.keys()


@given(st.binary(max_size=2000), st.sampled_from(sorted(PACKERS)))
def test_what_is_packed_is_unpacked(data: bytes, coding: str) -> None:
    assert decompressed(PACKERS[coding](data), coding.upper(), MOST) == data


@given(st.binary(min_size=1, max_size=2000))
def test_a_body_may_have_several_members_and_deflate_no_header(data: bytes) -> None:
    assert decompressed(gzip.compress(data) * 3, "gzip", MOST) == data * 3
    assert decompressed(zstandard.compress(data) * 3, "zstd", MOST) == data * 3
    assert decompressed(raw_deflate(data), "deflate", MOST) == data


@pytest.mark.parametrize("coding", sorted(PACKERS))
def test_the_largest_that_is_allowed_is_taken_and_a_byte_more_is_not(coding: str) -> None:
    assert len(decompressed(PACKERS[coding](bytes(MOST)), coding, MOST)) == MOST
    with pytest.raises(Refused, match="1,048,576") as refused:
        decompressed(PACKERS[coding](bytes(MOST + 1)), coding, MOST)
    assert refused.value.status == 413


@pytest.mark.parametrize("coding", sorted(PACKERS))
def test_a_bomb_costs_no_more_memory_than_is_allowed(coding: str) -> None:
    bomb = PACKERS[coding](bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(Refused) as refused:
            decompressed(bomb, coding, MOST)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.value.status == 413
    assert peak < 8 * MOST


def test_a_frame_of_nine_bytes_that_wants_a_large_window_is_refused() -> None:
    """It declares a window of 128 MiB, which a decoder would make room for before anything else."""
    frame = bytes.fromhex("28b52ffd0088010000")
    with pytest.raises(Refused) as refused:
        decompressed(frame, "zstd", MOST)
    assert refused.value.status == 400


@pytest.mark.parametrize("coding", sorted(PACKERS))
def test_a_body_that_is_cut_off_is_refused(coding: str) -> None:
    packed = PACKERS[coding](bytes(range(256)) * 20)
    for end in (1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(Refused) as refused:
            decompressed(packed[:end], coding, MOST)
        assert refused.value.status in {400, 413}


@given(st.binary(max_size=300), st.sampled_from(sorted(PACKERS)))
def test_no_bytes_raise_anything_but_a_refusal(data: bytes, coding: str) -> None:
    for body in (data, PACKERS[coding](b"abc" * 50)[:20] + data):
        try:
            assert len(decompressed(body, coding, MOST)) <= MOST
        except Refused as refused:
            assert refused.status in {400, 413}  # noqa: PT017 - it may be raised or not


def test_a_coding_that_is_not_known_is_told() -> None:
    with pytest.raises(Refused, match="send gzip") as refused:
        decompressed(b"x", "br", MOST)
    assert refused.value.status == 415
    assert decompressed(b"x", "identity", MOST) == b"x"
