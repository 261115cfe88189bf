"""Lines of which nothing is known: each is a message."""

from collections.abc import Collection

import polars as pl

from heeler.formats.lines import Lines
from heeler.formats.text import kept, text_of
from heeler.formats.timestamps import Receipt


class Plain:
    """Every line is text. Fills ``message`` (String) of the table ``log``; nothing ever fails to parse."""

    name = "plain"
    text = "{message}"
    table = "log"
    columns: tuple[str, ...] = ("message",)
    offers = frozenset(columns)

    def parse(
        self, lines: Lines, columns: Collection[str] | None = None, receipt: Receipt | None = None
    ) -> pl.DataFrame:
        """See `heeler.formats.Format.parse`."""
        del columns, receipt
        text = text_of(lines.readable())
        raw = kept(lines, pl.Series([False]).new_from_index(0, len(lines)), text)
        return pl.DataFrame({"message": text}).with_columns(
            ending=pl.Series(lines.ending), parsed=pl.lit(value=True), raw=raw
        )

    def rendered(self) -> pl.Expr:
        """See `heeler.formats.Format.rendered`."""
        return pl.col("message")
