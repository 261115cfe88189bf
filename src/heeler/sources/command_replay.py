"""Recognising lines that a command repeats when it starts again: `heroku logs --tail` begins with the recent ones."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from heeler.model import Position

_HASH_BYTES = 6
_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tail:
    """The last lines that were given on, as hashes, the number of all lines, and when the last one was written."""

    hashes: tuple[bytes, ...] = ()
    lines: int = 0
    last: str = ""

    def after(self, lines: Sequence[bytes], count: int, most: int, received: str) -> "Tail":
        """Return the tail after ``count`` more lines, of which ``lines`` are the last; ``most`` hashes are kept."""
        if not count:
            return self
        hashes = (*self.hashes, *map(hash_of, lines[-most:]))[-most:] if most else ()
        return Tail(hashes, self.lines + count, stamp_of(lines[-1], received))

    @property
    def position(self) -> Position:
        """What to store of it."""
        return {"lines": self.lines, "last": self.last, "tail": b"".join(self.hashes).hex()}


def tail_of(position: Position) -> Tail:
    """Return what `Tail.position` was made of. What is no such position is taken for none."""
    try:
        hashes = bytes.fromhex(str(position.get("tail", "")))
        lines = int(position.get("lines") or 0)
    except ValueError:
        return Tail()
    cuts = range(0, len(hashes) - _HASH_BYTES + 1, _HASH_BYTES)
    return Tail(tuple(hashes[at : at + _HASH_BYTES] for at in cuts), lines, str(position.get("last", "")))


def hash_of(line: bytes) -> bytes:
    """Return a short hash by which a line is known again."""
    return hashlib.blake2b(line, digest_size=_HASH_BYTES).digest()


def stamp_of(line: bytes, received: str) -> str:
    """Return the time that a line begins with, as it stands there, else when it was ``received``."""
    found = _STAMP.match(line)
    return found[0].decode("ascii") if found else received


@dataclass(frozen=True, slots=True)
class Overlap:
    """What the first lines of a new life repeat of those that are known.

    ``repeated`` is how many of them are known already. ``is_open`` says that all of them may be, and so may what comes
    next. ``is_whole`` says that all known lines were met.
    """

    repeated: int
    is_open: bool
    is_whole: bool


def overlap(known: Sequence[bytes], new: Sequence[bytes]) -> Overlap:
    """Lay the hashes of ``new`` lines over those of the ``known`` ones so that they agree wherever they meet.

    The new lines may begin within the known ones (the usual case), or before them (the command repeats more than is
    remembered), and may end within them (it repeated no more until now). Of several ways the one counts in which most
    lines meet, and of those the one that repeats fewest: that a program says the same thing twice must lose no line.
    """
    known, new = tuple(known), tuple(new)
    met, repeated, is_open = 0, 0, False
    if not known or not new:
        return Overlap(0, is_open=False, is_whole=False)
    for start in range(len(known) - 1, -len(new), -1):  # where in the known lines the first new one lies
        first, end = max(start, 0), min(start + len(new), len(known))
        if known[first] == new[first - start] and known[first:end] == new[first - start : end - start]:
            is_open = is_open or start + len(new) < len(known)
            if end - first > met:
                met, repeated = end - first, end - start
    return Overlap(repeated, is_open, met == len(known))
