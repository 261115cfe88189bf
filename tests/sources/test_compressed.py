"""Compressed files: the same bytes as plain ones, in little memory, and as much as can be had of damaged ones."""

import bz2
import gzip
import lzma
import random
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from heeler.sources.compressed import STEP_BYTES, Content

Compress = Callable[[bytes], bytes]
COMPRESSORS: dict[str, Compress] = {
    "gzip": gzip.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
}
every_compression = pytest.mark.parametrize("name", COMPRESSORS)


class Memory:
    """Bytes in memory, given in pieces of any size, with waits between them where asked for."""

    def __init__(self, data: bytes, *, most: int = 1 << 20, waits: bool = False) -> None:
        self.data = data
        self.at = 0
        self._most = most
        self._waits = waits
        self._waited = False

    def read(self, most: int) -> bytes | None:
        self._waited = self._waits and not self._waited
        if self._waited:
            return None
        found = self.data[self.at : self.at + min(most, self._most)]
        self.at += len(found)
        return found

    def seek(self, offset: int) -> bool:
        self.at = offset
        return True


def content_of(data: bytes) -> Content:
    return Content(Memory(data), "a.log", lambda: Memory(data))


def all_of(content: Content, most: int = 1 << 20) -> bytes:
    parts = []
    while (part := content.read(most)) != b"":
        parts.append(part or b"")
    return b"".join(parts)


def text(size: int) -> bytes:
    chance = random.Random(size)  # noqa: S311 - the same bytes in every run
    return b"".join(b"line %d\n" % chance.randrange(10**9) for _ in range(size // 14))


@every_compression
@given(
    parts=st.lists(st.binary(max_size=400), max_size=4),
    most=st.integers(1, 300),
    block=st.integers(1, 200),
    waits=st.booleans(),
)
def test_members_are_read_as_one_however_they_arrive(
    name: str, parts: list[bytes], most: int, block: int, *, waits: bool
) -> None:
    packed = b"".join(map(COMPRESSORS[name], parts))
    content = Content(Memory(packed, most=block, waits=waits), "a.log")

    assert all_of(content, most) == b"".join(parts)
    assert content.trouble == ""
    assert content.consumed == len(packed)


@given(data=st.binary(max_size=300), most=st.integers(1, 100), waits=st.booleans())
def test_what_is_not_compressed_is_given_as_it_is(data: bytes, most: int, *, waits: bool) -> None:
    if data.startswith((b"\x1f\x8b\x08", b"(\xb5/\xfd", b"\xfd7zXZ\0", b"BZh91AY&SY")):
        return  # as a compressed file begins
    assert all_of(Content(Memory(data, waits=waits), "a.log"), most) == data


@pytest.mark.parametrize(
    "data", [b"", b"BZh9 is no bzip2\n", b"\x1f", b"\x1f\x8b", b"\xfd7zXZ", b"BZh91AY&S", b"(\xb5/"]
)
def test_what_only_begins_like_a_compressed_file_is_plain(data: bytes) -> None:
    assert all_of(content_of(data)) == data


@every_compression
def test_members_may_be_padded_with_zeros(name: str) -> None:
    one = COMPRESSORS[name](b"one\n")

    assert all_of(content_of(one + bytes(512) + one + bytes(512))) == b"one\n" * 2


@every_compression
def test_of_a_file_that_is_cut_off_all_that_decodes_is_given(name: str) -> None:
    data = text(2_600_000)
    packed = COMPRESSORS[name](data)
    content = content_of(packed[: len(packed) * 3 // 4])

    found = all_of(content)

    assert data.startswith(found)
    assert len(found) > len(data) // 4
    assert content.trouble.startswith(f"a.log ends in the middle of its {name} data")


@every_compression
@pytest.mark.parametrize("again", [True, False])
def test_of_a_damaged_file_what_decodes_is_given(name: str, *, again: bool) -> None:
    data = text(2_600_000)
    packed = bytearray(COMPRESSORS[name](data))
    packed[len(packed) * 3 // 4] ^= 0xFF
    content = Content(Memory(bytes(packed)), "a.log", (lambda: Memory(bytes(packed))) if again else None)

    found = all_of(content)

    # Behind the damage bytes may decode to others before that is noticed; those before it are right.
    right = next((at for at, (one, other) in enumerate(zip(found, data, strict=False)) if one != other), len(found))
    assert right > len(data) // 4
    assert content.trouble.startswith(f"a.log is damaged: its {name} data cannot be decoded to the end (")


def test_a_wrong_checksum_is_told_and_all_bytes_are_given() -> None:
    data = text(STEP_BYTES // 2)
    packed = bytearray(gzip.compress(data))
    packed[-6] ^= 1
    content = content_of(bytes(packed))

    assert all_of(content) == data
    assert "checksum" in content.trouble


@every_compression
def test_what_stands_behind_the_last_member_is_left_out_and_told(name: str) -> None:
    content = content_of(COMPRESSORS[name](b"one\n") + b"something else")

    assert all_of(content) == b"one\n"
    assert content.trouble.startswith(f"a.log has bytes behind its {name} data")


@every_compression
def test_a_bomb_is_decoded_a_little_at_a_time(name: str) -> None:
    content = content_of(COMPRESSORS[name](bytes(50_000_000)))

    assert content.read(1000) == bytes(1000)
    assert content._decoded == 1000
    assert len(all_of(content)) == 50_000_000 - 1000


@every_compression
@pytest.mark.parametrize("offset", [0, 5, 1000, 100_000])
def test_skipping_gives_the_bytes_before(name: str, offset: int) -> None:
    data = text(120_000)
    for stored in (data, COMPRESSORS[name](data)):
        content = content_of(stored)

        assert content.skip(offset, 256) == data[max(0, offset - 256) : offset]
        assert content.offset == offset
        assert all_of(content) == data[offset:]


@every_compression
def test_skipping_ends_where_the_content_does(name: str) -> None:
    for stored in (b"short", COMPRESSORS[name](b"short")):
        content = content_of(stored)
        content.skip(1000, 256)
        assert content.offset != 1000
        assert content.read(10) == b""
