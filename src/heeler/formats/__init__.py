"""Turning lines into columns, and columns back into lines."""

from collections.abc import Collection
from typing import Protocol

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from heeler.formats.lines import CRLF, LF, NO_ENDING, Lines
from heeler.formats.timestamps import Receipt


class Format(Protocol):
    """One way in which programs write lines. Pure, and never raises on what a line holds.

    ``text`` is its definition and is stored with the data: a renderer is part of the file format, so that every
    record can be written back as the line it was, for ever. ``table`` is where its records live. ``offers`` are its
    columns and those that `parse` can derive from them when asked, such as ``section``.
    """

    name: str
    text: str
    table: str
    columns: tuple[str, ...]
    offers: frozenset[str]

    def parse(
        self, lines: Lines, columns: Collection[str] | None = None, receipt: Receipt | None = None
    ) -> pl.DataFrame:
        """Read ``lines`` into a frame with one row per line, in their order. ``receipt`` is when they came in.

        The frame has the format's columns, or of what it ``offers`` those in ``columns``, then ``ending`` (UInt8),
        ``parsed`` (Boolean) and ``raw`` (Binary, the line without its ending). A line that does not fit has nulls,
        ``parsed`` false and its bytes in ``raw``. With all columns, ``raw`` also holds every line that does not
        render back byte for byte.

        There may also be ``absurd`` (Boolean) of lines whose own time cannot be, so that they have none; ``continues``
        (Boolean) of lines that go on with the record before them, which count as parsed and are kept in ``raw``; and
        ``member`` (UInt8), which of the format's ``members`` each record is of, as in `heeler.formats.nested.Nested`.
        """
        ...

    def rendered(self) -> pl.Expr:
        """Write each row back as the text of its line, without the ending: String, from the format's columns."""
        ...


def members_of(written: Format) -> tuple[Format, ...]:
    """Return the formats whose records ``written`` gives: itself, or those that its column ``member`` counts."""
    members: tuple[Format, ...] = getattr(written, "members", (written,))
    return members


def render(written: Format, records: pl.DataFrame) -> pl.Series:
    """Return the lines that ``records`` were parsed from, with their endings, byte for byte: Binary, one per row."""
    ending = pl.col("ending").replace_strict({LF: b"\n", CRLF: b"\r\n", NO_ENDING: b""}, return_dtype=pl.Binary)
    both = records.select(line=pl.coalesce("raw", written.rendered().cast(pl.Binary)), ending=ending)
    large = pa.large_binary()
    parts = [column.to_arrow().cast(large) for column in both.iter_columns()]
    return pl.Series("line", pl.from_arrow(pc.binary_join_element_wise(*parts, pa.scalar(b"", large))))
