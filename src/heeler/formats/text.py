"""Lines as a column of text, for the formats that Polars reads by itself."""

import polars as pl

from heeler.formats.lines import Lines, split
from heeler.formats.scan import Scanner

_ANSI = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])"
"""What colours text on a terminal, and other escape sequences. Source: ECMA-48, 5.4."""


def text_of(lines: Lines) -> pl.Series:
    """Return lines, which must be readable, as a String column without their endings; nothing is copied."""
    return Scanner(lines).text(lines.starts, lines.ends).alias("line")


def kept(lines: Lines, keep: pl.Series, text: pl.Series) -> pl.Series:
    """Return the column ``raw``: the bytes of the lines to ``keep``, without their endings.

    ``text`` is what `text_of` made of them. A line that is no UTF-8 is always kept.
    """
    if not lines.data.isascii():
        original = Scanner(lines).binary(lines.starts, lines.ends)
        keep = keep | (text.cast(pl.Binary) != original)
        return pl.DataFrame({"keep": keep, "line": original}).select(raw=pl.when("keep").then("line")).to_series()
    if not keep.any():
        return pl.Series("raw", [None], pl.Binary).new_from_index(0, len(lines))
    return Scanner(lines).binary(lines.starts, lines.ends, keep.to_numpy()).alias("raw")


def stripped(text: pl.Series) -> pl.Series:
    """Return text without escape sequences, as a terminal would show it."""
    return text.str.replace_all(_ANSI, "") if text.str.contains("\x1b", literal=True).any() else text


def lines_of(text: pl.Series) -> Lines:
    """Make lines of text without newlines; null becomes an empty line."""
    return split(("\n".join(text.fill_null("").to_list()) + "\n").encode() if len(text) else b"")
