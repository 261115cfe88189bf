"""What must not be kept is taken out of lines before anybody else sees them.

From then on "exact" means the bytes after redaction: they are what is parsed, stored, mirrored and exported.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from heeler.errors import UsageError
from heeler.formats.lines import Lines, split
from heeler.model import Chunk
from heeler.query import regex

HASH_DIGITS: Final = 16
"""Hexadecimal digits of a keyed hash, 64 bits: a million different values have one chance in 37 million to collide."""

_LARGE: Final = pa.large_binary()
_PROBES: Final = ("", "ab 12, \N{LATIN SMALL LETTER E WITH ACUTE}-_")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is looked for, as the engine has it (see `matcher`), and what is put in its place."""

    name: str
    pattern: str
    substitute: Callable[[bytes], bytes]


def matcher(text: str) -> str:
    """Return the pattern of a rule as the engine wants it: the regexes of queries, which take linear time.

    ``^`` and ``$`` are the ends of a line. Raises `QueryError` with the place for what is none of them, and
    `UsageError` for one that finds the empty text, which is everywhere.
    """
    engine = regex.read(text).engine
    probed = pc.replace_substring_regex(pa.array(_PROBES), engine, "\n\\0\n").to_pylist()
    if any(not found for one in probed for found in one.split("\n")[1::2]):
        raise UsageError(f"The pattern {text!r} also finds nothing at all, which is everywhere; make it say more.")
    return engine


def replacing(replacement: str) -> Callable[[bytes], bytes]:
    """Return what puts the same text in place of everything that is found."""
    fixed = replacement.encode()
    return lambda _: fixed


def hashing(key: bytes) -> Callable[[bytes], bytes]:
    """Return what puts a keyed hash (HMAC-SHA256, shortened) in place of what is found: equal stays equal.

    Whoever has the key can try all addresses and so find which one a hash stands for; others cannot.
    """
    return lambda found: hmac.digest(key, found, "sha256").hex()[:HASH_DIGITS].encode()


class Redaction:
    """Applies rules, in their order, each to what the one before it left."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)

    def redacted(self, chunk: Chunk) -> tuple[Chunk, Mapping[str, int]]:
        """Return a chunk with its lines redacted, and how often each rule found something. May run in any thread.

        Everything but the data stays, and a last line that may still grow is as long as it is now. Should it, grown,
        be redacted so that it begins otherwise, the store keeps both. A line so long that it travels in pieces is
        redacted piece by piece; what stands across a cut is not found.
        """
        data, counts = self.apply(chunk.data)
        if data is chunk.data:
            return chunk, counts
        unfinished = len(data) - (data.rfind(b"\n") + 1) if chunk.unfinished_bytes else 0
        return replace(chunk, data=data, unfinished_bytes=unfinished), counts

    def apply(self, data: bytes) -> tuple[bytes, Mapping[str, int]]:
        """Return lines redacted, as many and with their endings as they were, and how often each rule found something.

        The very same object is returned where nothing was found.
        """
        lines = split(data)
        bodies = _bodies(lines)
        counts: dict[str, int] = {}
        for rule in self._rules:
            bodies, count = _redacted(bodies, rule)
            if count:
                counts[rule.name] = counts.get(rule.name, 0) + count
        return (_joined(bodies, lines) if counts else data), counts


def _bodies(lines: Lines) -> pa.LargeBinaryArray:
    """Return the lines without their endings."""
    lengths = lines.ends - lines.starts
    kept = np.frombuffer(lines.data, np.uint8)[_is_body(lines)]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    return pa.Array.from_buffers(_LARGE, len(lines), [None, pa.py_buffer(offsets), pa.py_buffer(kept)])


def _is_body(lines: Lines) -> NDArray[np.bool_]:
    kept = np.ones(len(lines.data), np.bool_)
    kept[lines.stops[lines.stops > lines.ends] - 1] = False
    kept[lines.ends[lines.stops - lines.ends == 2]] = False
    return kept


def _joined(bodies: pa.LargeBinaryArray, lines: Lines) -> bytes:
    """Return bodies with the endings that the lines have, as one."""
    endings = pa.array([b"\n", b"\r\n", b""], _LARGE).take(pa.array(lines.ending))
    whole = pc.binary_join_element_wise(bodies, endings, pa.scalar(b"", _LARGE))
    return _values(whole)


def _values(array: pa.LargeBinaryArray) -> bytes:
    """Return everything that an array of bytes holds, one behind the other."""
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    return array.buffers()[2][int(offsets[0]) : int(offsets[-1])].to_pybytes() if len(array) else b""


def _redacted(bodies: pa.LargeBinaryArray, rule: Rule) -> tuple[pa.LargeBinaryArray, int]:
    # As text without a check: the engine then reads UTF-8, and finds no character in bytes that are none.
    found = pc.match_substring_regex(bodies.view(pa.large_string()), rule.pattern)
    if not pc.any(found).as_py():
        return bodies, 0
    # A newline stands in no line, so two of them can mark what is found: every second piece between them is.
    marked = pc.replace_substring_regex(bodies.filter(found).view(pa.large_string()), rule.pattern, "\n\\0\n")
    pieces = pc.split_pattern(marked.view(_LARGE), b"\n")
    lengths = pc.list_value_length(pieces).to_numpy(zero_copy_only=False).astype(np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    flat = pieces.flatten()
    is_found = (np.arange(len(flat)) - np.repeat(offsets[:-1], lengths)) % 2 == 1
    is_found &= pc.binary_length(flat).to_numpy(zero_copy_only=False) > 0  # nothing at all is nothing to take out
    matches = flat.filter(pa.array(is_found)).dictionary_encode()
    substitutes = pa.array([rule.substitute(match) for match in matches.dictionary.to_pylist()], _LARGE)
    flat = pc.replace_with_mask(flat, pa.array(is_found), substitutes.take(matches.indices))
    rows = pc.binary_join(pa.LargeListArray.from_arrays(pa.array(offsets), flat), pa.scalar(b"", _LARGE))
    return pc.replace_with_mask(bodies, found, rows), int(is_found.sum())
