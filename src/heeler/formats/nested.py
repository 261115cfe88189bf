"""Formats within formats: syslog, Docker or Heroku lines whose message is itself a line of another format.

The outer format stays what it is for every other line. A line whose message is a request becomes a record of the table
``access``, so one file gives records of two tables, in the order of its lines.
"""

import json
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Final

import polars as pl

from heeler.formats import Format
from heeler.formats.lines import Lines, split
from heeler.formats.structured import Named
from heeler.formats.text import kept, lines_of, text_of
from heeler.formats.timestamps import Receipt

_OUTER: Final = ("time", "zone", "absurd", "severity", "host", "program", "pid")
"""What an outer line may tell of a record; its host is one that logs, not one that was asked for."""

_SIGNS: Final = {"json": r"^\s*\{", "logfmt": r"^\s*[^\s=\"]+="}
_SIGN: Final = r'" \d{3} (?:\d|-)|\[\d\d/[A-Z][a-z]{2}/\d{4}:'
"""What every message holds that a format reads: by its kind, or as web servers write requests."""


def may_be_carried(message: pl.Series) -> bool:
    """Tell whether any of these messages looks like a line of a format within."""
    return any(message.str.contains(sign).any() for sign in (_SIGN, *_SIGNS.values()))


def _columns_of(table: str) -> tuple[str, ...]:
    hosts = ("host", "program", "pid") if table == "log" else ()
    return ("time", "zone", "severity", *hosts)


class Inner:
    """Lines of ``outer`` whose message is a line of ``inner``. See `heeler.formats.Format`.

    ``attributes`` is an object with ``head``, what stands before the message. Where the inner format has attributes of
    its own, or the outer one is JSON, it is the whole line instead.
    """

    kind = "nested"

    def __init__(self, outer: Format, inner: Format) -> None:
        self.outer, self.inner = outer, inner
        self.name = f"{outer.name}/{inner.name}"
        self.table = inner.table
        layers = {key: [one.name, one.table, one.text] for key, one in (("outer", outer), ("inner", inner))}
        self.text = json.dumps({"kind": self.kind, **layers}, ensure_ascii=False)
        self.sign = _SIGNS.get(getattr(inner, "kind", ""), _SIGN)
        self._verbatim = isinstance(outer, Named) or "attributes" in inner.columns
        columns = dict.fromkeys((*inner.columns, *(name for name in _OUTER if name in outer.columns)))
        self.columns = (
            *(
                name
                for name in columns
                if name != "attributes" and (name in inner.columns or name in _columns_of(self.table))
            ),
            "attributes",
        )
        self.offers = frozenset(self.columns) | inner.offers

    def parse(
        self, lines: Lines, columns: Collection[str] | None = None, receipt: Receipt | None = None
    ) -> pl.DataFrame:
        """See `heeler.formats.Format.parse`."""
        outer = self.outer.parse(lines, None, receipt)
        read = self.within(lines, outer, outer["parsed"], columns, receipt)
        rows = pl.DataFrame({"row": pl.Series(range(len(lines)), dtype=pl.UInt32), "e": lines.ending})
        frame = rows.join(read, "row", how="left", maintain_order="left").with_columns(
            pl.col("parsed", "continues").fill_null(value=False), ending=pl.col("e").cast(pl.UInt8)
        )
        lost = kept(lines, ~frame["parsed"], text_of(lines.readable())).alias("lost")
        return frame.hstack([lost]).with_columns(raw=pl.coalesce("raw", "lost")).drop("row", "e", "lost")

    def within(
        self,
        lines: Lines,
        outer: pl.DataFrame,
        rows: pl.Series,
        columns: Collection[str] | None,
        receipt: Receipt | None,
    ) -> pl.DataFrame:
        """Read those of the ``rows`` of ``lines`` that fit; ``outer`` was read of all. ``row`` is their index."""
        wanted = set(self.columns if columns is None else columns)
        mine, outer = lines.take(rows.to_numpy()), outer.filter(rows)
        text, message = text_of(mine.readable()), outer["message"].alias("message")
        inner = self.inner.parse(lines_of(message), wanted & self.inner.offers, receipt)
        fits = inner["parsed"] & ~message.str.ends_with("\r")
        if "continues" in inner.columns:
            fits &= ~inner["continues"]
        head = pl.DataFrame([text, message]).select(head=pl.col("line").str.strip_suffix(pl.col("message")))
        whole = text if self._verbatim else head.select(pl.struct("head").struct.json_encode()).to_series()
        made = inner.with_columns(whole.alias("attributes"))
        made = self._completed(made, outer)
        exact = fits
        if wanted.issuperset(self.columns):
            line = made.select(self.rendered()).to_series()
            exact = fits & (line == text).fill_null(value=False)
        raw = kept(mine, ~exact, text)
        chosen = [name for name in made.columns if name in wanted or name == "absurd"]
        ends = {"ending": pl.Series(mine.ending), "parsed": fits, "raw": raw, "row": rows.arg_true().cast(pl.UInt32)}
        read = pl.DataFrame({name: made[name] for name in chosen} | ends).with_columns(continues=pl.lit(value=False))
        return read.filter("parsed")

    def _completed(self, made: pl.DataFrame, outer: pl.DataFrame) -> pl.DataFrame:
        """Let the outer line tell what the inner one does not; of the time, where that is not rendered from it."""
        missing = [
            name for name in _OUTER if name in self.columns and name in outer.columns and name not in made.columns
        ]
        made = made.with_columns(outer.select(missing).iter_columns())
        if self.table == "access":
            return made
        both = [name for name in _OUTER if name in made.columns and name in outer.columns and name not in missing]
        beside = outer.select(pl.col(both).name.prefix("outer_"))
        return (
            made.hstack(beside).with_columns(pl.coalesce(name, "outer_" + name) for name in both).select(made.columns)
        )

    def rendered(self) -> pl.Expr:
        """See `heeler.formats.Format.rendered`."""
        if self._verbatim:
            return pl.col("attributes")
        head = pl.col("attributes").str.json_decode(pl.Struct({"head": pl.String})).struct.field("head")
        return pl.concat_str(head, self.inner.rendered())


class Nested:
    """An outer format with the inner ones that its messages may be of. See `heeler.formats.Format`.

    It gives records of several formats, its ``members``: the column ``member`` tells of which one each is. What is
    stored with a record is the member, never this.
    """

    def __init__(self, outer: Format, inner: Sequence[Format]) -> None:
        self.outer = outer
        self.name, self.table, self.text = outer.name, outer.table, outer.text
        self._inner = tuple(Inner(outer, one) for one in inner)
        self.members: tuple[Format, ...] = (outer, *self._inner)
        self.columns = tuple(dict.fromkeys(name for one in self.members for name in one.columns))
        self.offers = frozenset(name for one in self.members for name in one.offers)

    @cached_property
    def _shapes(self) -> list[pl.DataFrame]:
        """The columns of the inner formats, without rows, so that they are there where no line is of one."""
        return [one.parse(split(b"")) for one in self._inner]

    def parse(
        self, lines: Lines, columns: Collection[str] | None = None, receipt: Receipt | None = None
    ) -> pl.DataFrame:
        """See `heeler.formats.Format.parse`."""
        asked = None if columns is None else {*columns, "message"}
        outer = self.outer.parse(lines, asked, receipt)
        left = outer["message"].is_not_null()
        rows = pl.Series("row", range(len(lines)), pl.UInt32)
        numbered = outer.with_columns(rows, member=pl.lit(0, pl.UInt8))
        pieces = [
            shape.select(name for name in shape.columns if columns is None or name in columns) for shape in self._shapes
        ]
        for number, inner in enumerate(self._inner, 1):
            mine = left & outer["message"].str.contains(inner.sign).fill_null(value=False)
            if not mine.any():
                continue
            read = inner.within(lines, outer, mine, columns, receipt).with_columns(member=pl.lit(number, pl.UInt8))
            left &= ~rows.is_in(read["row"].to_list())
            pieces.append(read)
        taken = pl.Series([row for piece in pieces if "row" in piece.columns for row in piece["row"]], dtype=pl.UInt32)
        frame = (
            pl.concat([numbered.filter(~rows.is_in(taken.implode())), *pieces], how="diagonal").sort("row").drop("row")
        )
        return frame if columns is None or "message" in columns else frame.drop("message")

    def fitted(self, sample: Lines) -> "Nested":
        """Return this format as the outer one writes the lines of ``sample``."""
        return Nested(fitted(self.outer, sample), [one.inner for one in self._inner])

    def rendered(self) -> pl.Expr:
        """See `heeler.formats.Format.rendered`."""
        return self.outer.rendered()


def fitted(written: Format, sample: Lines) -> Format:
    """Return a format as it writes the lines of ``sample``; one that always writes alike returns itself."""
    return written.fitted(sample) if hasattr(written, "fitted") else written
