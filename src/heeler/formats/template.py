"""A format that is one line of text with named fields, read in both directions.

``{client} {ident} {user} [{time}] "{request}" {status} {bytes}`` parses a line into typed columns and renders the
columns back into the line. Text outside braces stands for itself; ``{{`` and ``}}`` are braces.

A line is cut into fields in up to three ways, each tried on the lines that the one before could not read: at the
first place where the literal behind a field can stand (numpy, all lines at once); by a regular expression that knows
escaped quotes; and by one that takes blanks and stray quotes inside fields. All three give offsets, and the same code
reads the values, so a line means the same whichever way it was cut.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from heeler.errors import TemplateError
from heeler.formats.fields import FIELDS, Field, Text
from heeler.formats.lines import CRLF, LF, NO_ENDING, Lines, Offsets
from heeler.formats.scan import Flags, Scanner

_PIECE = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|[^{}]+|[{}]")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_BACKSLASH, _QUOTE = ord("\\"), ord('"')

Cuts = tuple[list[Offsets], list[Offsets], Flags]
"""Where each field starts and ends in every line, and for which lines that holds."""


@dataclass(frozen=True)
class Part:
    """One field of a template and the literal text behind it."""

    name: str
    field: Field
    after: bytes


class Template:
    """A format given as a template, for one table.

    Fields of `FIELDS` fill typed columns; any other name fills the String column ``attributes``, a JSON object.
    Raises `TemplateError`, with the place, for a text that is no template.
    """

    def __init__(self, name: str, text: str, table: str = "access") -> None:
        self.name = name
        self.text = text
        self.table = table
        self.prefix, self.parts = _compile(text)
        self.extras = [part.name for part in self.parts if part.name not in FIELDS]
        self.columns = tuple(
            dict.fromkeys(
                column
                for part in self.parts
                for column in (part.field.columns if part.name in FIELDS else ("attributes",))
            )
        )
        self._strict = self._pattern(strict=True)
        self._lenient = self._pattern(strict=False)

    def parse(self, lines: Lines, columns: Collection[str] | None = None) -> pl.DataFrame:
        """Read ``lines`` into a frame with one row per line, in their order. Never raises on what a line holds.

        The frame has the template's columns, or those of ``columns`` alone, then ``ending`` (UInt8), ``parsed``
        (Boolean) and ``raw`` (Binary, without the ending). A line that does not fit has nulls, ``parsed`` false and
        its bytes in ``raw``. With all columns, ``raw`` also holds every line that the columns do not render back to,
        byte for byte; with a choice of columns that is not looked at, and a field nobody asked for is checked for
        its place in the line only where its text cannot be wrong.
        """
        wanted = set(self.columns if columns is None else columns)
        remaining, rows = lines.readable(), np.arange(len(lines))
        pieces: list[pl.DataFrame] = []
        for cut in (self._cut_at_literals, self._cut_by(self._strict), self._cut_by(self._lenient)):
            frame, valid = self._read(Scanner(remaining), cut, wanted)
            frame = frame.with_columns(row=pl.Series(rows))
            pieces.append(frame if valid.all() else frame.filter(pl.Series(valid)))
            if valid.all():
                break
            rows, remaining = rows[~valid], remaining.take(~valid)
        frame = pieces[0] if len(pieces) == 1 else pl.concat(pieces)
        if frame.height < len(lines):
            frame = pl.concat([frame, pl.DataFrame({"row": rows})], how="diagonal")
        frame = frame.sort("row") if len(pieces) > 1 else frame
        frame = frame.with_columns(pl.col("parsed").fill_null(value=False), ending=pl.Series(lines.ending)).drop("row")
        keep = ~frame["parsed"] if columns is not None else ~self._is_exact(frame, lines)
        kept = Scanner(lines).binary(lines.starts, lines.ends, keep.to_numpy()) if keep.any() else None
        return frame.with_columns(raw=pl.lit(kept if kept is not None else None, dtype=pl.Binary))

    def render(self, frame: pl.DataFrame) -> pl.Series:
        """Write the rows of ``frame`` (as `parse` makes it) as lines with their endings: Binary, one per row."""
        line = pl.coalesce("raw", self._rendered().cast(pl.Binary))
        ending = pl.col("ending").replace_strict({LF: b"\n", CRLF: b"\r\n", NO_ENDING: b""}, return_dtype=pl.Binary)
        both = self._with_extras(frame).select(line=line, ending=ending)
        large = pa.large_binary()
        parts = [column.to_arrow().cast(large) for column in both.iter_columns()]
        joined = pc.binary_join_element_wise(*parts, pa.scalar(b"", large))
        return pl.Series("line", pl.from_arrow(joined))

    def _is_exact(self, frame: pl.DataFrame, lines: Lines) -> pl.Series:
        original = Scanner(lines).binary(lines.starts, lines.ends)
        rendered = self._with_extras(frame).select(self._rendered().cast(pl.Binary)).to_series()
        return frame["parsed"] & (rendered == original).fill_null(value=False)

    def _rendered(self) -> pl.Expr:
        pieces = [pl.lit(self.prefix.decode())] if self.prefix else []
        for part in self.parts:
            pieces += [part.field.render(), pl.lit(part.after.decode())]
        return pl.concat_str(pieces)

    def _with_extras(self, frame: pl.DataFrame) -> pl.DataFrame:
        if not self.extras:
            return frame
        shape = pl.Struct(dict.fromkeys(self.extras, pl.String))
        values = pl.col("attributes").str.json_decode(shape)
        return frame.with_columns(values.struct.field(name).alias(_extra(name)) for name in self.extras)

    def _read(self, scan: Scanner, cut: Callable[[Scanner], Cuts], wanted: set[str]) -> tuple[pl.DataFrame, Flags]:
        starts, ends, valid = cut(scan)
        if not valid.all():  # the offsets of the other rows may lie anywhere
            starts = [np.where(valid, start, 0) for start in starts]
            ends = [np.where(valid, end, 0) for end in ends]
        columns: dict[str, pl.Series] = {}
        for part, start, end in zip(self.parts, starts, ends, strict=True):
            is_extra = part.name not in FIELDS
            asked = "attributes" in wanted if is_extra else not wanted.isdisjoint(part.field.columns)
            if asked or part.field.checks:
                read, valid = part.field.read(scan, start, end, valid)
                columns |= (
                    {name: column for name, column in read.items() if is_extra or name in wanted} if asked else {}
                )
        frame = pl.DataFrame(columns, height=len(valid)).with_columns(parsed=True)
        if self.extras and "attributes" in wanted:
            extras = pl.struct(pl.col(_extra(name)).alias(name) for name in self.extras).struct.json_encode()
            frame = frame.with_columns(attributes=extras).drop(_extra(name) for name in self.extras)
        return frame, valid

    def _cut_at_literals(self, scan: Scanner) -> Cuts:
        lines = scan.lines
        at = lines.starts + len(self.prefix)
        valid = scan.literal(self.prefix, lines.starts)
        starts, ends = [], []
        known: dict[int, Offsets] = {}  # for an octet: which of its positions is the first one behind ``at``
        for part in self.parts:
            starts.append(at)
            stop = part.after[0] if part.after else -1
            if part.field.width:
                end = at + part.field.width
                valid &= scan.literal(part.after, end)
            elif part.after:
                positions = scan.positions(stop)
                if stop not in known:
                    known[stop] = np.searchsorted(positions, at)
                end = positions[np.minimum(known[stop], len(positions) - 1)]
                valid &= scan.literal(part.after[1:], end + 1)
            else:
                end = lines.ends
            ends.append(end)
            at = end + len(part.after)
            # Where a field holds a known number of an octet, the next search for it is saved.
            counts = {octet: 0 if octet == stop else part.field.count(octet) for octet in known}
            known = {
                octet: known[octet] + (count + part.after.count(octet))
                for octet, count in counts.items()
                if count is not None
            }
        valid &= at == lines.ends
        if b"\\" in lines.data:
            quotes = scan.positions(_QUOTE)[:-1]
            escaped = quotes[scan.octets[quotes - 1] == _BACKSLASH]
            valid[np.searchsorted(lines.starts, escaped, "right") - 1] = False
        return starts, ends, valid

    def _cut_by(self, pattern: str) -> Callable[[Scanner], Cuts]:
        def cut(scan: Scanner) -> Cuts:
            lines = scan.lines
            text = pl.DataFrame({"line": scan.text(lines.starts, lines.ends)})
            groups = text.select(pl.col("line").str.extract_groups(pattern)).unnest("line")
            lengths = groups.select(pl.all().str.len_bytes().cast(pl.Int64))
            valid = lengths.to_series(0).is_not_null().to_numpy()
            at = lines.starts + len(self.prefix)
            starts, ends = [], []
            for part, length in zip(self.parts, lengths.fill_null(0).iter_columns(), strict=True):
                starts.append(at)
                ends.append(at + length.to_numpy())
                at = ends[-1] + len(part.after)
            return starts, ends, valid

        return cut

    def _pattern(self, *, strict: bool) -> str:
        pattern = "(?s)^" + _literal(self.prefix.decode())
        for part in self.parts:
            stop = _literal(part.after.decode()[:1])
            wide = part.field.strict if strict else part.field.lenient
            wide = wide.replace("{stop}", stop) if stop else wide.replace("[^{stop}]", ".")
            pattern += f"({wide})" + _literal(part.after.decode())
        return pattern + "$"


def _compile(text: str) -> tuple[bytes, list[Part]]:
    """Read the text of a template into its leading literal and its parts."""
    literals, names, places = [""], list[str](), list[int]()
    for piece in _PIECE.finditer(text):
        name = piece["name"]
        if name is None:
            if piece[0] in "{}":
                raise TemplateError(
                    f"The template has a {piece[0]!r} without its partner; write {piece[0] * 2!r} for "
                    "the character itself.",
                    text,
                    piece.start(),
                )
            literals[-1] += piece[0][0] if piece[0] in ("{{", "}}") else piece[0]
            continue
        if not _NAME.fullmatch(name):
            raise TemplateError(
                f"The template has a field named {name!r}; a name is made of a-z, 0-9 and _.", text, piece.start() + 1
            )
        if names and not literals[-1] and FIELDS.get(names[-1], _ANY).width is None:
            raise TemplateError(
                f"The template has {{{names[-1]}}} and {{{name}}} side by side, so nothing tells where "
                "the first one ends; put a character between them.",
                text,
                piece.start(),
            )
        names.append(name)
        places.append(piece.start())
        literals.append("")
    if not names:
        raise TemplateError("The template has no field; name at least {time}.", text, len(text))
    if "\n" in text:
        raise TemplateError("The template has a newline; it describes one line.", text.replace("\n", " "), 0)
    parts = []
    for name, before, after in zip(names, literals, literals[1:], strict=False):
        field = FIELDS.get(name) or Text(_extra(name))
        if isinstance(field, Text):
            field = Text(field.column, quotes=before.endswith('"') and after.startswith('"'))
        parts.append(Part(name, field, after.encode()))
    _refuse_twice(text, parts, places)
    return literals[0].encode(), parts


def _refuse_twice(text: str, parts: list[Part], places: list[int]) -> None:
    seen: dict[str, str] = {}
    for part, place in zip(parts, places, strict=True):
        for column in part.field.columns:
            if column in seen:
                raise TemplateError(
                    f"The template has {{{seen[column]}}} and {{{part.name}}}, which both fill the column "
                    f"{column!r}; keep one.",
                    text,
                    place,
                )
            seen[column] = part.name


def _extra(name: str) -> str:
    """Name the column that holds an attribute while a frame is being made; ``@`` keeps it apart from the others."""
    return "@" + name


def _literal(text: str) -> str:
    return "".join(char if char.isalnum() and char.isascii() else f"\\x{{{ord(char):x}}}" for char in text)


_ANY = Text("")
