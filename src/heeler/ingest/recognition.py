"""The format of one stream, which is looked for again when lines stop to parse."""

from heeler.formats import Format
from heeler.formats.choose import PLAIN, SAMPLE_BYTES, Formats, format_of, guesses
from heeler.formats.lines import Lines, split
from heeler.formats.nested import fitted
from heeler.formats.w3c import W3c

ENOUGH_LINES = 100
"""After so many lines the share of those that parsed says something; a look that finds nothing waits for more."""

DOUBTFUL = 0.5
"""A smaller share of lines that parse makes the format doubtful."""


class Recognition:
    """Chooses the format of a stream by its beginning, and again by newer lines when it fits no longer.

    Each record keeps the format that it was read with, so a stream may change it from one chunk on.
    """

    def __init__(self, given: Format | None = None, known: Formats | None = None) -> None:
        """``given`` is a format that somebody named, and stays; ``known`` are those to choose from."""
        self.format: Format | None = None
        self._following: Format | None = None
        self._given = given
        self._known = known
        self._lines = self._parsed = 0
        self._patience = ENOUGH_LINES

    def count(self, lines: int, parsed: int) -> None:
        """Take note of how a chunk fared."""
        self._lines += lines
        self._parsed += parsed

    def format_for(self, sample: bytes, data: bytes) -> Format:
        """Return the format of the chunk ``data``, where ``sample`` is what to choose by. May take a while."""
        if self.format is None:
            self.format = self._first(sample)
        else:
            self.format = self._following or self.format
            if self._given is None and self._is_doubtful():
                self.format = self._better(_whole(sample))
        self._following = self.format.following(data) if isinstance(self.format, W3c) else None
        return self.format

    def _first(self, sample: bytes) -> Format:
        if self._given is not None:
            return fitted(self._given, _whole(sample))
        return format_of(sample, self._known)

    def _is_doubtful(self) -> bool:
        if self._lines < self._patience:
            return False
        share, self._lines, self._parsed = self._parsed / self._lines, 0, 0
        return share < DOUBTFUL or self.format is PLAIN

    def _better(self, sample: Lines) -> Format:
        current = self.format or PLAIN
        best = guesses(sample, self._known)
        own = 0.0 if current is PLAIN else float(current.parse(sample, ())["parsed"].mean() or 0)  # type: ignore[arg-type]  # of booleans
        better = best[0].format if best and best[0].rate > max(own, DOUBTFUL) else current
        # Looking costs as much as parsing some megabytes: where it finds nothing it is done ever less often.
        self._patience = self._patience * 8 if better is current else ENOUGH_LINES
        return better


def _whole(sample: bytes) -> Lines:
    sample = sample[:SAMPLE_BYTES]
    return split(sample[: sample.rfind(b"\n") + 1] or sample)
