"""Lines of which nothing is known: each is a message."""

from collections.abc import Collection

import polars as pl

from heeler.formats.lines import Lines
from heeler.formats.scan import Scanner


class Plain:
    """Every line is text. Fills ``message`` (String) of the table ``log``; nothing ever fails to parse."""

    name = "plain"
    text = "{message}"
    table = "log"
    columns: tuple[str, ...] = ("message",)
    offers = frozenset(columns)

    def parse(self, lines: Lines, columns: Collection[str] | None = None) -> pl.DataFrame:
        """See `heeler.formats.Format.parse`."""
        del columns
        readable = lines.readable()
        same = readable is lines
        frame = pl.DataFrame({"message": Scanner(readable).text(readable.starts, readable.ends)})
        original = Scanner(lines).binary(lines.starts, lines.ends)
        exact = pl.lit(value=True) if same else pl.col("message").cast(pl.Binary) == original
        raw = pl.when(~exact).then(original)
        return frame.with_columns(ending=pl.Series(lines.ending), parsed=pl.lit(value=True), raw=raw)

    def rendered(self) -> pl.Expr:
        """See `heeler.formats.Format.rendered`."""
        return pl.col("message")
