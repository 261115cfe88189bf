"""Which row groups of a segment can hold a token: a Bloom filter for each, in the segment's own file.

The filters lie between the last row group and the footer of the Parquet file, where its format leaves room and readers
do not look. So they are written, hashed, copied, restored and dropped with the segment, and the catalog knows nothing
of them. A segment without one, as a tick writes it, is searched whole.

Indexed are the tokens of every text column, of ``raw`` and of whole numbers: runs of ``[A-Za-z0-9_]``, A to Z folded.
So are runs of four hexadecimal tokens with single dots or colons between them, as numbers like those of an address are
everywhere while the address is not.

The filter is the split block Bloom filter of Parquet (apache/parquet-format, BloomFilter.md): one block of 32 bytes is
looked at for each token and row group, so looking costs the same however many records there are.
"""

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heeler.query.conditions import All, Any, Column, Contains, Found, Line, Same, Test, token_pattern

BITS_PER_TOKEN = 14
"""About one row group in five hundred is searched in vain."""

MAGIC = b"HLTF"
_END = struct.Struct("<II4s")  # bytes of the filters, how many there are, the magic
_ONE = struct.Struct("<II")  # rows, blocks
_FOOTER = struct.Struct("<I4s")  # bytes of the footer and the magic of Parquet
_BLOCK_BYTES = 32

Hashes = NDArray[np.uint64]
Words = NDArray[np.uint32]

_SALT = np.array(
    [0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31], np.uint32
)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_PIECE_BYTES = 4 << 20


def _folding() -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    for char in b"abcdefghijklmnopqrstuvwxyz0123456789_":
        table[char] = char
        table[ord(chr(char).upper())] = char
    return table


_FOLDED = _folding()
_IS_HEX = np.isin(np.arange(256), np.frombuffer(b"0123456789abcdef", np.uint8))
_KEEP = np.array([(1 << (8 * count)) - 1 for count in range(9)], np.uint64)


def token_hashes(text: bytes) -> Hashes:
    """Return a number for each token of a text, and for each run of four that may be part of an address.

    The numbers are part of the file format: they never change.
    """
    folded = _FOLDED[np.frombuffer(text + bytes(8), np.uint8)]
    is_word = np.concatenate([[False], folded[:-8] > 0, [False]])
    edges = np.flatnonzero(is_word[1:] != is_word[:-1])
    starts, ends = edges[0::2], edges[1::2]
    if not len(starts):
        return np.empty(0, np.uint64)
    eights = np.ndarray((len(folded) - 7,), "<u8", folded.tobytes(), strides=(1,))
    lengths = ends - starts
    hashes = _mixed(lengths.astype(np.uint64))
    rest, at = np.arange(len(starts)), starts.copy()
    while len(rest):
        left = ends[rest] - at
        hashes[rest] = _mixed(hashes[rest] ^ (eights[at] & _KEEP[np.minimum(left, 8)]))
        longer = left > 8
        rest, at = rest[longer], at[longer] + 8
    return np.concatenate([hashes, _addresses(text, folded, starts, ends, hashes)])


def _addresses(
    text: bytes, folded: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], hashes: Hashes
) -> Hashes:
    octets = np.frombuffer(text, np.uint8)
    not_hex = np.concatenate([[0], np.cumsum(~_IS_HEX[folded[: len(octets)]])])
    is_hex = (not_hex[ends] == not_hex[starts]) & (ends - starts <= 4)
    between = octets[np.minimum(ends[:-1], len(octets) - 1)]
    joins = (starts[1:] - ends[:-1] == 1) & ((between == ord(".")) | (between == ord(":")))
    if len(starts) < 4:
        return np.empty(0, np.uint64)
    four = joins[:-2] & joins[1:-1] & joins[2:]
    four &= is_hex[:-3] & is_hex[1:-2] & is_hex[2:-1] & is_hex[3:]
    first = np.flatnonzero(four)
    found = hashes[first]
    for step in (1, 2, 3):
        found = _mixed(found ^ hashes[first + step])
    return found


def _mixed(values: Hashes) -> Hashes:
    mixed = values * _MIX
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX
    return mixed ^ (mixed >> np.uint64(29))


class TokenFilters:
    """Makes the filters of a segment, a row group at a time."""

    def __init__(self) -> None:
        self._filters: list[bytes] = []
        self._sizes: list[tuple[int, int]] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Take in the next row group."""
        found = [token_hashes(text) for text in _texts(rows)]
        hashes = pl.Series(np.concatenate(found) if found else np.empty(0, np.uint64)).unique().to_numpy()
        blocks = max(1, -(-len(hashes) * BITS_PER_TOKEN // (8 * _BLOCK_BYTES)))
        words = np.zeros((blocks, 8), np.uint32)
        block = _block_of(hashes, blocks)
        for at, bits in enumerate(_bits_of(hashes).T):
            np.bitwise_or.at(words[:, at], block, bits)
        self._filters.append(words.astype("<u4").tobytes())
        self._sizes.append((rows.height, blocks))

    def written(self) -> bytes:
        """Return what is written behind the last row group, directly before the footer."""
        data = b"".join(self._filters)
        sizes = b"".join(_ONE.pack(*one) for one in self._sizes)
        return data + sizes + _END.pack(len(data), len(self._sizes), MAGIC)


def _texts(rows: pl.DataFrame) -> Iterator[bytes]:
    """Yield the texts whose tokens count, each value once, some megabytes at a time."""
    for column in rows.iter_columns():
        if column.null_count() == len(column):
            continue
        if column.dtype in {pl.String, pl.Binary}:
            values = column.unique().drop_nulls().cast(pl.Binary)
        elif column.name in ("status", "bytes"):
            # A status is written with three digits.
            values = column.unique().drop_nulls().cast(pl.String).str.zfill(3 if column.name == "status" else 1)
            values = values.cast(pl.Binary)
        else:
            continue
        size, piece = 0, list[bytes]()
        for value in values.to_list():
            piece.append(value)
            size += len(value) + 1
            if size > _PIECE_BYTES:
                yield b"\n".join(piece)
                size, piece = 0, []
        yield b"\n".join(piece)


def _block_of(hashes: Hashes, blocks: int) -> NDArray[np.int64]:
    return (((hashes >> np.uint64(32)) * np.uint64(blocks)) >> np.uint64(32)).astype(np.int64)


def _bits_of(hashes: Hashes) -> Words:
    low = hashes.astype(np.uint32)
    return np.uint32(1) << ((low[:, None] * _SALT[None, :]) >> np.uint32(27))


class SegmentFilter:
    """The filters of a segment that was written: which rows can hold some tokens."""

    def __init__(self, file: int, begin: int, sizes: list[tuple[int, int]]) -> None:
        self._file = file
        self._begin = begin
        self._sizes = sizes

    def groups(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Return which row groups can hold all of these."""
        return np.array([self._holds_all(hashes, at) for at in range(len(self._sizes))], np.bool_)

    def rows(self, groups: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which rows lie in these row groups; an empty array where none does."""
        return np.repeat(groups, [rows for rows, _ in self._sizes]) if groups.any() else np.zeros(0, np.bool_)

    def _holds_all(self, hashes: Hashes, group: int) -> bool:
        begin = self._begin + _BLOCK_BYTES * sum(blocks for _, blocks in self._sizes[:group])
        places = _block_of(hashes, self._sizes[group][1]).tolist()
        for place, bits in zip(places, _bits_of(hashes), strict=True):
            block = np.frombuffer(os.pread(self._file, _BLOCK_BYTES, begin + place * _BLOCK_BYTES), "<u4")
            if len(block) < 8 or not ((block & bits) == bits).all():
                return False
        return True


@dataclass(frozen=True, slots=True)
class Sought:
    """Tokens that a record must have: those in ``hashes``, and those of all, or of one, of the ``parts``."""

    hashes: Hashes
    parts: "tuple[Sought, ...]" = ()
    one_is_enough: bool = False

    def groups(self, filters: SegmentFilter) -> NDArray[np.bool_]:
        """Return which row groups can have them."""
        if not self.parts:
            return filters.groups(self.hashes)
        joined: NDArray[np.bool_] = (np.logical_or if self.one_is_enough else np.logical_and).reduce(
            [part.groups(filters) for part in self.parts]
        )
        return joined


def sought_by(test: Test, usable: Callable[[str], bool]) -> Sought | None:
    """Return the tokens that a record must have to pass a test; None where there need be none.

    ``usable`` tells of a text of the whole line whether its tokens are all indexed.
    """
    if isinstance(test, All | Any):
        parts = [sought_by(part, usable) for part in test.parts]
        known = tuple(part for part in parts if part is not None)
        if not known or (isinstance(test, Any) and len(known) < len(parts)):
            return None
        return Sought(np.empty(0, np.uint64), known, isinstance(test, Any))
    hashes = token_hashes(_whole_text(test, usable))
    return Sought(hashes) if len(hashes) else None


def candidates(path: Path, sought: Sought | None) -> NDArray[np.bool_] | None:
    """Return which rows of a segment can have what is sought, by its filter; None where that tells nothing.

    The array is empty where no row can.
    """
    if sought is None:
        return None
    file = os.open(path, os.O_RDONLY)
    try:
        opened = _opened(file)
        return None if opened is None else opened.rows(sought.groups(opened))
    finally:
        os.close(file)


def _opened(file: int) -> SegmentFilter | None:
    size = os.fstat(file).st_size
    footer_bytes, _ = _FOOTER.unpack(os.pread(file, _FOOTER.size, size - _FOOTER.size))
    end = size - _FOOTER.size - footer_bytes
    if end < _END.size:
        return None
    data_bytes, count, magic = _END.unpack(os.pread(file, _END.size, end - _END.size))
    begin = end - _END.size - count * _ONE.size
    if magic != MAGIC or begin < data_bytes:
        return None
    return SegmentFilter(file, begin - data_bytes, list(_ONE.iter_unpack(os.pread(file, count * _ONE.size, begin))))


def _whole_text(test: Test, usable: Callable[[str], bool]) -> bytes:
    """Return text of which every token must be in a record that passes, empty where there is none."""
    source = getattr(test, "source", None)
    text = ""
    if isinstance(test, Same) and isinstance(source, Column):
        text = test.text
    elif isinstance(test, Found) and test.pattern.literals and test.pattern == token_pattern(test.pattern.literals[0]):
        text = test.pattern.literals[0] if isinstance(source, Column | Line) else ""
    elif isinstance(test, Contains) and isinstance(source, Line):
        text = _inside(test.text)
    return b"" if isinstance(source, Line) and not (text and usable(text)) else text.encode()


def _inside(text: str) -> str:
    """Return a part of a line without what may be a part of a token at its ends."""
    octets = text.encode()
    begin, end = 0, len(octets)
    while begin < end and _FOLDED[octets[begin]]:
        begin += 1
    while end > begin and _FOLDED[octets[end - 1]]:
        end -= 1
    return octets[begin:end].decode("utf-8", "replace")
