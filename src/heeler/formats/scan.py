"""Finding and reading fields in all lines of a chunk at once, with numpy, on the bytes as they lie.

Polars could cut the lines by itself, but it copies every piece of every cut; here a field is two offsets, and the
columns made of them are Arrow string views that point into the chunk. Regex groups took four times as long.
"""

import re
import struct

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from heeler.formats.lines import Lines, Offsets

Flags = NDArray[np.bool_]
Words = NDArray[np.uint32]

_INLINE = 12  # an Arrow string view holds strings up to this length in itself
_KEEP = np.array(
    [[int.from_bytes(b"\xff" * min(max(n + 4 - at, 0), 8), "little") for at in (0, 8)] for n in range(_INLINE + 1)],
    np.uint64,
)
"""Which bits of a string view count, four bytes of length included, by the length of a short string."""

_PAD = bytes(16)


class Scanner:
    """The bytes of a chunk, with the positions of the characters that were looked for so far.

    Offsets that are handed in may lie anywhere in the chunk or just behind it; lines that do not fit a template have
    meaningless offsets, and whoever made them drops those rows later.
    """

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        # Room on both sides, so that every load of a few bytes stays inside.
        padded = b"".join((_PAD, lines.data, _PAD))
        self._limit = len(lines.data)
        self.octets = np.frombuffer(padded, np.uint8)[len(_PAD) :]
        self._buffer = pa.py_buffer(padded).slice(len(_PAD))
        # Sixteen bytes from every offset on, and from four before it. Complex numbers they are not: it is the widest
        # type that numpy copies from anywhere without holding the GIL.
        self._sixteen = np.ndarray((self._limit + 1,), "c16", padded, len(_PAD), strides=(1,))
        self._four_before = np.ndarray((self._limit + 1,), "c16", padded, len(_PAD) - 4, strides=(1,))
        self._words = np.ndarray((self._limit + 1,), "<u4", padded, len(_PAD), strides=(1,))
        self._positions: dict[int, Offsets] = {}

    def positions(self, octet: int) -> Offsets:
        """Where ``octet`` stands in the chunk; the last position is a sentinel just behind the chunk."""
        if octet not in self._positions:
            found = np.flatnonzero(self.octets[: self._limit] == octet)
            self._positions[octet] = np.append(found, self._limit)
        return self._positions[octet]

    def load(self, at: Offsets) -> Words:
        """Load the sixteen bytes from each offset on as four little-endian words: shape (rows, 4)."""
        return self._sixteen[np.minimum(at, self._limit)].view("<u4").reshape(-1, 4)

    def literal(self, text: bytes, at: Offsets) -> Flags:
        """Tell at which of the offsets ``text`` stands."""
        found = np.ones(len(at), np.bool_)
        for offset in range(0, len(text), 4):
            part = text[offset : offset + 4]
            words = self._words[np.minimum(at + offset, self._limit)]
            if len(part) < 4:
                words &= np.uint32((1 << 8 * len(part)) - 1)
            found &= words == np.uint32(int.from_bytes(part, "little"))
        return found

    def first_of(self, octets: bytes, at: Offsets, end: Offsets) -> Offsets:
        """Return where the first of ``octets`` stands behind each offset, or ``end`` where none does before that.

        Meant for what is near: sixteen bytes of all rows are looked at together, then the next sixteen of the rows
        that need them, and what is far is searched row by row.
        """
        near = _first_byte(self.load(at), octets)
        found: Offsets = np.minimum(at + near, end)
        rows = np.flatnonzero((near == 16) & (at + 16 < end))
        for step in range(1, 4):
            if not len(rows):
                return found
            begin = at[rows] + 16 * step
            near = _first_byte(self.load(begin), octets)
            found[rows] = np.minimum(begin + near, end[rows])
            rows = rows[(near == 16) & (begin + 16 < end[rows])]
        pattern = re.compile(b"[" + re.escape(octets) + b"]")
        for row in rows.tolist():
            match = pattern.search(self.lines.data, int(at[row]), int(end[row]))
            found[row] = match.start() if match else end[row]
        return found

    def number(self, start: Offsets, length: Offsets, valid: Flags) -> tuple[NDArray[np.uint64], Flags]:
        """Read decimal numbers of 1 to 16 digits; the second result tells which of ``valid`` really are numbers."""
        valid = valid & (length > 0) & (length <= 16)
        halves = self.load(start).view(np.uint64)
        value, good = _eight_digits(halves[:, 0], np.clip(length, 0, 8))
        if (long := valid & (length > 8)).any():
            rest = np.clip(length - 8, 0, 8)
            more, good_rest = _eight_digits(halves[:, 1], rest)
            value = np.where(long, value * _POWERS[rest] + more, value)
            good &= good_rest | ~long
        return value, valid & good

    def leads_with_zero(self, start: Offsets, end: Offsets) -> Flags:
        """Tell which texts begin with a zero that a number written in decimals would not have: ``007``, not ``0``."""
        zero: Flags = (self.octets[np.minimum(start, self._limit)] == ord("0")) & (end - start > 1)
        return zero

    def text(
        self,
        start: Offsets,
        end: Offsets,
        valid: Flags | None = None,
        instead: tuple[Offsets, list[str | None]] | None = None,
    ) -> pl.Series:
        """Make a String column of the bytes between the offsets, null where not ``valid``, without copying them.

        ``instead`` names a few rows that are not ``valid`` and the texts that they have.
        """
        return self._views(pa.string_view(), start, end, valid, instead)

    def binary(self, start: Offsets, end: Offsets, valid: Flags | None = None) -> pl.Series:
        """Make a Binary column of the bytes between the offsets, null where not ``valid``, without copying them."""
        return self._views(pa.binary_view(), start, end, valid)

    def _views(
        self,
        dtype: pa.DataType,
        start: Offsets,
        end: Offsets,
        valid: Flags | None,
        instead: tuple[Offsets, list[str | None]] | None = None,
    ) -> pl.Series:
        length = end - start if valid is None else np.where(valid, end - start, 0)
        # The text as it lies, from four bytes before it on, is what a view of a short string looks like but for those
        # four bytes, which are its length; of a long one it has the first four characters and where the rest stands.
        views = self._four_before[np.minimum(start, self._limit)].view("<u8").reshape(-1, 2)
        views &= _KEEP.take(np.minimum(length, _INLINE), axis=0)
        np.copyto(views[:, 1], start.view(np.uint64) << np.uint64(32), where=length > _INLINE)
        words: Words = views.view("<u4")
        words[:, 0] = length
        data = [self._buffer]
        if instead is not None and valid is not None:
            valid = valid.copy()
            data.append(pa.py_buffer(_put(words, valid, *instead)))
        bitmap = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
        buffers = [bitmap, pa.py_buffer(views), *data]
        return pl.Series(pl.from_arrow(pa.Array.from_buffers(dtype, len(start), buffers)))


def _put(views: Words, valid: Flags, rows: Offsets, texts: list[str | None]) -> bytes:
    """Let ``rows`` of an Arrow string view show ``texts``; return the buffer for those that do not fit in a view."""
    side = bytearray()
    for row, text in zip(rows.tolist(), texts, strict=True):
        if text is None:
            continue
        encoded = text.encode()
        place = (
            struct.pack("<4sII", encoded[:4], 1, len(side)) if len(encoded) > _INLINE else encoded.ljust(_INLINE, b"\0")
        )
        if len(encoded) > _INLINE:
            side += encoded
        views[row] = np.frombuffer(struct.pack("<I", len(encoded)) + place, "<u4")
        valid[row] = True
    return bytes(side)


def _first_byte(words: Words, octets: bytes) -> Offsets:
    """Return which of each row's sixteen bytes is the first that is one of ``octets``; 16 where none is.

    A byte that equals the octet is zero after an exclusive or, and the lowest zero byte of a word is where taking one
    from every byte borrows first. Source: S. E. Anderson, "Bit Twiddling Hacks", "Determine if a word has a zero byte".
    """
    halves = words.view(np.uint64)
    ones, tops = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
    first = []
    for half in (halves[:, 0], halves[:, 1]):
        zero = np.zeros(len(half), np.uint64)
        for octet in octets:
            rest = half ^ (ones * np.uint64(octet))
            zero |= (rest - ones) & ~rest & tops
        first.append((np.bitwise_count((zero - np.uint64(1)) & ~zero) >> 3).astype(np.int64))
    found: Offsets = np.where(first[0] < 8, first[0], 8 + first[1])
    return found


_POWERS = np.array([10**n for n in range(9)], np.uint64)
_DIGIT_MASKS = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)
_SHIFTS = np.array([8 * (8 - n) if n else 0 for n in range(9)], np.uint64)


def _eight_digits(text: NDArray[np.uint64], length: Offsets) -> tuple[NDArray[np.uint64], Flags]:
    """Read the first ``length`` (0 to 8) bytes of each word as decimal digits, all eight places at once.

    The digits are moved to the end of the word, so that zeros stand before them; then neighbours are joined to pairs,
    pairs to fours and fours to the number. Source: D. Lemire, "Quickly parsing eight digits", 2018.
    """
    digits = (text ^ np.uint64(0x3030303030303030)) & _DIGIT_MASKS[length]
    # Adding 0x76 carries a byte above 9 into its top bit; a byte that has it already was no digit either.
    good = ((digits + np.uint64(0x7676767676767676)) | digits) & np.uint64(0x8080808080808080) == 0
    digits = digits << _SHIFTS[length]
    pairs = ((digits * np.uint64(10)) + (digits >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    fours = ((pairs * np.uint64(100)) + (pairs >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    return ((fours * np.uint64(10000)) + (fours >> np.uint64(32))) & np.uint64(0xFFFFFFFF), good
