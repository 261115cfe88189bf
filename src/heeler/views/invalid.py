"""Lines that did not parse: nothing is thrown away without a word, and nothing hostile reaches a terminal."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

import polars as pl

from heeler.errors import EnvironmentFailed, UsageError
from heeler.formats.lines import CRLF, LF
from heeler.views.escape import printable

SAMPLE = 5
"""How many lines of each interval a terminal gets to see; the others are counted."""

_WORDS = ("all", "sample", "none")
_ENDINGS = {LF: b"\n", CRLF: b"\r\n"}


class InvalidLines:
    """Writes the lines that did not parse: all, or a sample with the number left out, or their bytes to a file."""

    def __init__(self, how: str, stderr: TextIO) -> None:
        """``how`` is ``all``, ``sample``, ``none`` or the path of a file to append to."""
        self._stderr = stderr
        self._file: BinaryIO | None = None
        self._room: float = {"all": float("inf"), "none": 0}.get(how, SAMPLE)
        self._each = self._room
        self._left_out = 0
        self._quiet = how == "none"
        if how not in _WORDS:
            meant = difflib.get_close_matches(how, _WORDS, n=1, cutoff=0.75)
            if meant and not Path(how).exists():
                raise UsageError(
                    f"--invalid {printable(how)!r} is no word that is known; did you mean {meant[0]!r}? To name a new "
                    f"file so, write ./{printable(how)}."
                )
            try:
                self._file = Path(how).open("ab")  # noqa: SIM115 - stays open until `close`
            except OSError as error:
                raise EnvironmentFailed(
                    f"The file {printable(how)!r} for invalid lines cannot be written: {error.strerror}. Name a file "
                    "in a folder that you may write to."
                ) from error

    def write(self, records: pl.DataFrame) -> None:
        """Take note of the records that are not ``parsed``; read are ``raw`` and ``ending``."""
        if records["parsed"].all():
            return
        for raw, ending in _unparsed(records):
            if self._file:
                self._file.write(raw + _ENDINGS.get(ending, b""))
            elif self._room > 0:
                self._room -= 1
                self._stderr.write(f"invalid: {printable(raw)}\n")
            else:
                self._left_out += 1
        if self._file:
            self._file.flush()

    def interval(self) -> None:
        """Say how many were left out since the last call, and let the next ones be shown again."""
        if self._left_out and not self._quiet:
            self._stderr.write(f"invalid: … and {self._left_out:,} more (--invalid all shows every one)\n")
        self._left_out = 0
        self._room = self._each

    def close(self) -> None:
        """Say what is left to say and close the file."""
        self.interval()
        if self._file:
            self._file.close()


def _unparsed(records: pl.DataFrame) -> Iterator[tuple[bytes, int]]:
    return records.filter(~pl.col("parsed")).select("raw", "ending").iter_rows()
