"""The content of files that may be compressed: decided by their first bytes, decoded as a stream in little memory."""

import bz2
import lzma
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import zstandard
from isal import igzip_lib

INPUT_BYTES = 256 << 10
"""How much compressed data is read at once."""

STEP_BYTES = 64 << 10
"""How much is decoded at once. What a failing step had decoded is lost, so there it is done once more, more slowly."""

_ZSTD_INPUT_BYTES = 1 << 10  # zstd may give 32 KB for each byte it reads, and nothing tells it to stop
_XZ_MEMORY_BYTES = 256 << 20  # `xz -9` needs 65 MB
_MOST_MAGIC_BYTES = 10


class Raw(Protocol):
    """Bytes as they come."""

    def read(self, most: int) -> bytes | None:
        """Return up to ``most`` bytes, nothing at the end, and None where there is nothing yet."""

    def seek(self, offset: int) -> bool:
        """Go to the byte at ``offset``; return False where that cannot be done."""


class Decoder(Protocol):
    """Decodes one member of a compressed file, as `bz2.BZ2Decompressor` does."""

    @property
    def eof(self) -> bool:
        """Whether everything of the member was returned."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing comes without more data."""

    @property
    def unused_data(self) -> bytes:
        """What was given behind the end of the member."""

    def decompress(self, data: bytes, max_length: int = ...) -> bytes:
        """Return up to ``max_length`` bytes of what the data, and that given before, decode to."""


class ZstdDecoder:
    """A `Decoder` of zstd frames."""

    def __init__(self) -> None:
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._input = memoryview(b"")
        self._output = memoryview(b"")

    @property
    def eof(self) -> bool:
        """See `Decoder`."""
        return self._frame.eof and not self._output

    @property
    def needs_input(self) -> bool:
        """See `Decoder`."""
        return not (self._input or self._output or self._frame.eof)

    @property
    def unused_data(self) -> bytes:
        """See `Decoder`."""
        return self._frame.unused_data + bytes(self._input)

    def decompress(self, data: bytes, max_length: int = STEP_BYTES) -> bytes:
        """See `Decoder`."""
        if data:
            self._input = memoryview(bytes(self._input) + data)
        while self._input and not self._output and not self._frame.eof:
            some, self._input = self._input[:_ZSTD_INPUT_BYTES], self._input[_ZSTD_INPUT_BYTES:]
            self._output = memoryview(self._frame.decompress(some))
        found, self._output = self._output[:max_length], self._output[max_length:]
        return bytes(found)


@dataclass(frozen=True, slots=True)
class Compression:
    """One way to compress files: what its members begin with, and what decodes one."""

    magics: tuple[bytes, ...]
    decoder: Callable[[], Decoder]


COMPRESSIONS: Mapping[str, Compression] = {
    "gzip": Compression((b"\x1f\x8b\x08",), lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)),
    "zstd": Compression(
        (b"\x28\xb5\x2f\xfd", *(bytes((nibble, 0x2A, 0x4D, 0x18)) for nibble in range(0x50, 0x60))), ZstdDecoder
    ),
    # With the magic of a block, or of the end: "BZh9" alone is also how a line of text may begin.
    "bzip2": Compression(
        tuple(b"BZh%d" % level + mark for level in range(1, 10) for mark in (b"1AY&SY", b"\x17rE8P\x90")),
        bz2.BZ2Decompressor,
    ),
    "xz": Compression((b"\xfd7zXZ\0",), lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)),
}
"""How files may be compressed. Adding one is a line here."""

# The stubs of isal call the class an instance.
_FAILURES = (
    cast("type[Exception]", igzip_lib.IsalError),
    lzma.LZMAError,
    zstandard.ZstdError,
    OSError,
    EOFError,
    ValueError,
)


class Content:
    """The bytes that a file holds, decompressed where it is compressed. All methods block.

    Never raises on what the file holds: where its compressed data is cut off or damaged, `trouble` says so at the
    end, and everything that decodes before was returned. ``again`` opens the file once more at its beginning, which
    a damaged one needs; without it up to `STEP_BYTES` before the damage are missing.
    """

    def __init__(self, raw: Raw, name: str, again: Callable[[], Raw] | None = None) -> None:
        self.compression: str | None = None
        self.trouble = ""
        self.offset = 0
        self.consumed = 0
        """Bytes of the file that were read."""
        self._raw = raw
        self._name = name
        self._again = again
        self._is_known = False
        self._ended = False
        self._start = b""  # of the file, and of each member, until it is long enough to tell what it is
        self._decoder: Decoder | None = None
        self._decoded = 0
        self._skip = 0  # decoded bytes that were returned already, while a damaged file is decoded once more
        self._careful_from: int | None = None  # from here on a damaged file is read byte by byte

    def read(self, most: int) -> bytes | None:
        """Return up to ``most`` bytes, nothing at the end, and None where there is nothing yet.

        Less than ``most`` is returned only at the end, and where there is no more yet.
        """
        if not self._is_known and not self._recognise(most):
            return None
        data = self._read_plain(most) if self.compression is None else self._read_decoded(most)
        self.offset += len(data or b"")
        return data

    def skip(self, offset: int, keep: int) -> bytes:
        """Move on to ``offset``, or to the end before it; return the last ``keep`` bytes before."""
        kept = b""
        begin = max(0, offset - keep)
        if (self._is_known or self._recognise(keep)) and self.compression is None and self._raw.seek(begin):
            self._start = b""
            self.offset = self.consumed = begin
        while self.offset < offset and (block := self.read(min(1 << 20, offset - self.offset))):
            kept = (kept + block)[-keep:]
        return kept

    def _recognise(self, most: int) -> bool:
        while True:
            found = self._read_raw(max(most, INPUT_BYTES))
            self._start += found or b""
            name = _compression_of(self._start)
            waits = name is None and _may_become_compressed(self._start)
            if found == b"" or not waits:
                self._is_known, self.compression = bool(self._start) or found == b"", name
                self._decoder = COMPRESSIONS[name].decoder() if name else None
                return self._is_known
            if found is None:
                return False

    def _read_raw(self, most: int) -> bytes | None:
        data = self._raw.read(most)
        self.consumed += len(data or b"")
        return data

    def _read_plain(self, most: int) -> bytes | None:
        if not self._start:
            return self._read_raw(most)
        data, self._start = self._start[:most], self._start[most:]
        return data

    def _read_decoded(self, most: int) -> bytes | None:
        parts: list[bytes] = []
        missing = most
        while missing and not self._ended:
            part = self._step(min(missing, STEP_BYTES))
            if part is None:
                break
            parts.append(part)
            missing -= len(part)
        data = b"".join(parts)
        return data if data or self._ended or not most else None

    def _step(self, most: int) -> bytes | None:
        """Decode a little; return None where there is no more data yet."""
        if self._decoder is None or self._decoder.eof:
            return b"" if self._begin_member() else None
        data: bytes | None = self._start
        self._start = b""
        if not data and self._decoder.needs_input:
            data = self._read_input()
            if not data:
                return self._cut_off() if data is not None else None
        try:
            found = self._decoder.decompress(data or b"", most)
        except _FAILURES as error:
            self._fail(error)
            return b""
        known = min(self._skip, len(found))
        self._skip -= known
        self._decoded += len(found) - known
        return found[known:]

    def _read_input(self) -> bytes | None:
        careful = self._careful_from
        most = INPUT_BYTES if careful is None else min(INPUT_BYTES, max(1, careful - self.consumed))
        return self._read_raw(most)

    def _begin_member(self) -> bool:
        """Go on with the next member, or find the end. Return False where it is not there yet."""
        if self._decoder is not None:
            self._start, self._decoder = self._decoder.unused_data, None
        found: bytes | None = b"more"
        while found and len(start := self._start.lstrip(b"\0")) < _MOST_MAGIC_BYTES:
            found = self._read_input()
            self._start = start + (found or b"")
        if found is None:
            return False
        self._start = self._start.lstrip(b"\0")  # members may be padded
        if _compression_of(self._start) == self.compression and self.compression is not None:
            self._decoder = COMPRESSIONS[self.compression].decoder()
            return True
        self._ended = True
        if self._start:
            self.trouble = (
                f"{self._name} has bytes behind its {self.compression} data that are none; they are left out, and "
                f"everything before is complete."
            )
        return True

    def _cut_off(self) -> bytes:
        self._ended = True
        self.trouble = (
            f"{self._name} ends in the middle of its {self.compression} data; the first {self._decoded:,} bytes that "
            "decode are taken. Run it again when the file is complete."
        )
        return b""

    def _fail(self, error: Exception) -> None:
        """Decode once more up to the damage, and byte by byte near it; when that is done, this is the end."""
        if self._again is not None and self._careful_from is None and self.compression is not None:
            # The decoder has not seen more than the last block, and the one before where a member began in it.
            self._careful_from = max(0, self.consumed - 2 * INPUT_BYTES)
            self._raw, self._start, self.consumed = self._again(), b"", 0
            self._decoder, self._skip = COMPRESSIONS[self.compression].decoder(), self._decoded
            return
        self._ended = True
        self.trouble = (
            f"{self._name} is damaged: its {self.compression} data cannot be decoded to the end ({error}); the first "
            f"{self._decoded:,} bytes are taken. Get the file again from where it came."
        )


def _compression_of(start: bytes) -> str | None:
    return next((name for name, one in COMPRESSIONS.items() if start.startswith(one.magics)), None)


def _may_become_compressed(start: bytes) -> bool:
    return any(magic.startswith(start) for one in COMPRESSIONS.values() for magic in one.magics)
