"""Splitting bytes into lines: exactly, without copying, and without ever losing or changing a byte."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]

LF, CRLF, NO_ENDING = 0, 1, 2
"""How a line ends: the column ``ending`` of every record."""


@dataclass(frozen=True)
class Lines:
    """The lines of one chunk: offsets into its bytes.

    Line ``i`` is ``data[starts[i]:stops[i]]`` with its ending and ``data[starts[i]:ends[i]]`` without it; ``ending``
    (uint8) is `LF`, `CRLF` or `NO_ENDING`. Only the last line can have no ending.
    """

    data: bytes
    starts: Offsets
    ends: Offsets
    stops: Offsets
    ending: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, rows: NDArray[np.bool_]) -> "Lines":
        """Return only the lines that ``rows`` names, copied to a buffer of their own."""
        spans = zip(self.starts[rows].tolist(), self.stops[rows].tolist(), strict=True)
        return split(b"".join([self.data[start:stop] for start, stop in spans]))

    def readable(self) -> "Lines":
        """Return these lines with every invalid UTF-8 sequence replaced by U+FFFD.

        Line ``i`` stays line ``i``. Where all is valid, which is nearly always, this is the same object; else only
        the bad lines are decoded, and all of them are joined to a new buffer.
        """
        if self.data.isascii():
            return self
        pieces: list[bytes] = []
        done = 0
        while True:
            try:
                str(memoryview(self.data)[done:], "utf-8")
                break
            except UnicodeDecodeError as error:
                line = int(np.searchsorted(self.starts, done + error.start, "right")) - 1
                begin, stop = int(self.starts[line]), int(self.stops[line])
                pieces += [self.data[done:begin], self.data[begin:stop].decode("utf-8", "replace").encode()]
                done = stop
        return split(b"".join([*pieces, self.data[done:]])) if pieces else self


def split(data: bytes) -> Lines:
    r"""Split ``data`` at ``\n`` and nowhere else; what stands after the last one is a line without an ending."""
    octets = np.frombuffer(data, np.uint8)
    feeds = np.flatnonzero(octets == ord("\n"))
    whole = len(feeds) and int(feeds[-1]) + 1 == len(data)
    stops = feeds + 1 if whole or not data else np.append(feeds + 1, len(data))
    starts = np.empty_like(stops)
    starts[:1] = 0
    starts[1:] = stops[:-1]
    ends = stops - 1
    ending = np.zeros(len(stops), np.uint8)
    if len(stops) and not whole:
        ending[-1] = NO_ENDING
        ends[-1] = stops[-1]
    # Before the feed of an empty line stands another feed, or nothing: never the return of the line before.
    returns = (octets[np.maximum(ends - 1, 0)] == ord("\r")) & (ending == LF) if len(stops) else ()
    if np.any(returns):
        ending[returns] = CRLF
        ends = ends - returns
    return Lines(data, starts, ends, stops, ending)
