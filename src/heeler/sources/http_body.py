"""Decompressing the body of a request, and never more of it than is allowed."""

import zlib
from collections.abc import Callable, Mapping
from typing import Final, cast

import cramjam
import zstandard
from isal import igzip_lib

from heeler.sources.http_request import Refused

ZSTD_WINDOW_BYTES: Final = 8 << 20
"""What RFC 9659 allows in HTTP; the window of a frame is allocated before anything is known of its content."""

_CUT = "cut off"


def _gzip(body: bytes, most: int) -> bytes:
    found, left = [], most + 1
    while body and left > 0:
        member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        part = member.decompress(body, left)
        found.append(part)
        left -= len(part)
        if not member.eof and left > 0:
            raise ValueError(_CUT)
        body = member.unused_data
    return b"".join(found)


def _deflate(body: bytes, most: int) -> bytes:
    """Decompress zlib data, or what many send instead: the same without its header."""
    has_header = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    member = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
    found = member.decompress(body, most + 1)
    if not member.eof and len(found) <= most:
        raise ValueError(_CUT)
    return found


def _zstd(body: bytes, most: int) -> bytes:
    frames = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    with frames.stream_reader(body, read_across_frames=True) as reader:
        found = reader.read(most + 1)
    # The reader is the only one that stops at a number of bytes, but it takes data that is cut off for its end. What
    # fits is therefore decompressed once more.
    while body and len(found) <= most:
        frame = frames.decompressobj()
        frame.decompress(body)
        if not frame.eof:
            raise ValueError(_CUT)
        body = frame.unused_data
    return found


def _snappy(body: bytes, most: int) -> bytes:
    """Decompress one block, whose first bytes say how long it becomes."""
    length = shift = 0
    for byte in body[:5]:
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    else:
        raise ValueError(_CUT)
    # A block can grow 64-fold at most, so a longer claim is a lie that would only cost memory.
    if length > most or length > 64 * len(body):
        raise Refused(413, _too_large(most))
    return bytes(cramjam.snappy.decompress_raw(body))


CODINGS: Final[Mapping[str, Callable[[bytes, int], bytes]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
    "snappy": _snappy,
}
"""By the word in ``Content-Encoding``. Each returns more than it is allowed where there is more, to show that."""

_FAILURES = (
    # The stubs of isal call the class an instance.
    cast("type[Exception]", igzip_lib.IsalError),
    zlib.error,
    zstandard.ZstdError,
    cramjam.DecompressionError,
    ValueError,
    EOFError,
)


def decompressed(body: bytes, coding: str, most_bytes: int) -> bytes:
    """Return a body without its ``Content-Encoding``, which may be empty.

    Raises `Refused`: 413 for more than ``most_bytes``, as soon as they are reached; 415 for a coding that is not known,
    and 400 for data that is not of it.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return body
    if coding not in CODINGS:
        known = ", ".join(CODINGS)
        raise Refused(415, f"The Content-Encoding {coding[:40]!r} is not known; send {known}, or none.")
    try:
        found = CODINGS[coding](body, most_bytes)
    except _FAILURES as error:
        raise Refused(400, f"The body is not whole {coding} data ({error}). It was not taken.") from error
    if len(found) > most_bytes:
        raise Refused(413, _too_large(most_bytes))
    return found


def _too_large(most_bytes: int) -> str:
    return f"The body is larger than {most_bytes:,} bytes when decompressed. Send less at once."
