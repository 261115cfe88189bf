"""The format of one stream, which is looked for again when lines stop to parse."""

from heeler.formats import Format
from heeler.formats.choose import FEWEST_PARSED, PLAIN, SAMPLE_BYTES, Formats, best_guess, format_of
from heeler.formats.lines import Lines, split
from heeler.formats.nested import fitted
from heeler.formats.w3c import W3c

ENOUGH_LINES = 100
"""After so many lines the share of those that parsed says something; a look that finds nothing waits for more."""

DOUBTFUL = 0.5
"""A smaller share of lines that parse makes the format doubtful."""


class Recognition:
    """Chooses the format of a stream by its beginning, and again by newer lines when it fits no longer.

    Each record keeps the format that it was read with, so a stream may change it from one chunk on. While fewer than
    `ENOUGH_LINES` were seen, as of a file whose lines come one by one, each chunk may still change the choice.
    """

    def __init__(
        self, given: Format | None = None, known: Formats | None = None, fewest: float = FEWEST_PARSED
    ) -> None:
        """``given`` is a format that somebody named, and stays; ``known`` are those to choose from.

        What parses a smaller share of lines than ``fewest`` is not chosen.
        """
        self.format: Format | None = None
        self._following: Format | None = None
        self._given = given
        self._known = known
        self._fewest = fewest
        self._seen = 0
        self._lines = self._parsed = 0
        self._patience = ENOUGH_LINES
        self._newest = b""  # what came since the last look

    def count(self, lines: int, parsed: int) -> None:
        """Take note of how a chunk fared."""
        self._seen += lines
        self._lines += lines
        self._parsed += parsed

    def format_for(self, sample: bytes, data: bytes) -> Format:
        """Return the format of the chunk ``data``. May take a while.

        ``sample`` is what the first choice goes by; later ones go by the newest chunks.
        """
        if self._given is None:
            self._newest = _newest(self._newest + data[-SAMPLE_BYTES - 1 :])
        if self.format is None:
            self.format = self._first(sample)
        else:
            self.format = self._following or self.format
            if self._given is None and self._is_doubtful():
                self.format = self._better(_whole(self._newest))
        self._following = self.format.following(data) if isinstance(self.format, W3c) else None
        return self.format

    def _first(self, sample: bytes) -> Format:
        lines = _whole(sample)
        if self._given is not None:
            return fitted(self._given, lines)
        self._seen = len(lines)
        return format_of(sample, self._known, self._fewest)

    def _is_doubtful(self) -> bool:
        if self._seen < ENOUGH_LINES:
            return self.format is PLAIN or self._parsed < DOUBTFUL * self._lines
        if self._lines < self._patience:
            return False
        share, self._lines, self._parsed = self._parsed / self._lines, 0, 0
        return share < DOUBTFUL or self.format is PLAIN

    def _better(self, sample: Lines) -> Format:
        current = self.format or PLAIN
        best = best_guess(sample, self._known)
        if current is PLAIN:  # what would have been chosen at first takes its place
            is_better = best is not None and best.rate >= self._fewest
        else:
            own = float(current.parse(sample, ())["parsed"].mean() or 0)  # type: ignore[arg-type]  # of booleans
            is_better = best is not None and best.rate > max(own, DOUBTFUL)
        better = best.format if best and is_better else current
        if self._seen >= ENOUGH_LINES:
            # Looking costs as much as parsing some megabytes: where it finds nothing it is done ever less often.
            self._patience = self._patience * 8 if better is current else ENOUGH_LINES
            self._newest = b""
        return better


def _newest(data: bytes) -> bytes:
    """Return the newest lines, of no more bytes than a sample has."""
    cut = len(data) - SAMPLE_BYTES
    return data if cut <= 0 else data[data.find(b"\n", cut - 1) + 1 :]


def _whole(sample: bytes) -> Lines:
    sample = sample[:SAMPLE_BYTES]
    return split(sample[: sample.rfind(b"\n") + 1] or sample)
