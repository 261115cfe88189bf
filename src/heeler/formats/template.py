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

from heeler.errors import TemplateError
from heeler.formats.fields import EXACT, FIELDS, Attribute, Field, Request, Text
from heeler.formats.lines import Lines, Offsets
from heeler.formats.scan import Flags, Scanner
from heeler.formats.timestamps import Receipt, is_possible

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
        self._attributes = [part.field for part in self.parts if isinstance(part.field, Attribute)]
        typed = [column for part in self.parts for column in part.field.columns if column[0] != "@"]
        self.columns = (*typed, *(["attributes"] if self._attributes else []))
        self.offers = frozenset(self.columns) | frozenset(name for part in self.parts for name in part.field.offers)
        self._strict = self._pattern(strict=True)
        self._lenient = self._pattern(strict=False)

    def parse(
        self, lines: Lines, columns: Collection[str] | None = None, receipt: Receipt | None = None
    ) -> pl.DataFrame:
        """Read ``lines`` into a frame with one row per line, in their order. Never raises on what a line holds.

        The frame has the template's columns, or those of ``columns`` alone, then ``ending`` (UInt8), ``parsed``
        (Boolean) and ``raw`` (Binary, without the ending). A line that does not fit has nulls, ``parsed`` false and
        its bytes in ``raw``. With all columns, ``raw`` also holds every line that the columns do not render back to,
        byte for byte; with a choice of columns that is not looked at, and a field nobody asked for is checked for
        its place in the line only where its text cannot be wrong.
        """
        wanted = set(self.columns if columns is None else columns)
        chosen = [name for name in (*self.columns, "section") if name in wanted & self.offers]
        readable = lines.readable()
        if is_whole := wanted.issuperset(self.columns):
            wanted.add(EXACT)
        frame = _without_absurd(self._cut_and_read(readable, wanted), receipt)
        keep = ~frame["parsed"]
        if is_whole:
            keep |= ~frame["exact"]
            if readable is not lines:
                keep |= Scanner(readable).binary(readable.starts, readable.ends) != Scanner(lines).binary(
                    lines.starts, lines.ends
                )
        if keep.any():
            raw = Scanner(lines).binary(lines.starts, lines.ends, keep.to_numpy())
        else:
            raw = pl.Series([None], dtype=pl.Binary).new_from_index(0, len(lines))
        chosen += ["absurd"] if "absurd" in frame.columns else []
        ends = {"ending": pl.Series(lines.ending), "parsed": frame["parsed"], "raw": raw}
        return pl.DataFrame({name: frame[name] for name in chosen} | ends)

    def _cut_and_read(self, lines: Lines, wanted: set[str]) -> pl.DataFrame:
        """Read every line in the first way that fits it: ``wanted`` columns, ``parsed`` and ``exact``."""
        frame, valid = self._read(Scanner(lines), self._cut_at_literals, wanted)
        if valid.all():
            return frame
        rows = np.arange(len(lines))
        pieces = [frame.filter(pl.Series(valid)).with_columns(row=pl.Series(rows[valid]))]
        for pattern in (self._strict, self._lenient):
            rows, lines = rows[~valid], lines.take(~valid)
            frame, valid = self._read(Scanner(lines), self._cut_by(pattern), wanted)
            pieces.append(frame.filter(pl.Series(valid)).with_columns(row=pl.Series(rows[valid])))
            if valid.all():
                break
        never = np.zeros(int((~valid).sum()), np.bool_)
        unread = pl.DataFrame({"row": rows[~valid], "parsed": never, "exact": never})
        return pl.concat([*pieces, unread], how="diagonal").sort("row")

    def fitting(self, lines: Lines) -> tuple[int, int]:
        """Return how many of ``lines`` fit as a well-behaved program writes them, and how many fit at all."""
        readable = lines.readable()
        # What fits in no lenient way fits in no other; most files are of other formats, and known as such at once.
        _, lenient = self._read(Scanner(readable), self._cut_by(self._lenient), set())
        if not lenient.any():
            return 0, 0
        _, strict = self._read(Scanner(readable), self._cut_by(self._strict), set())
        return int(strict.sum()), int(self.parse(lines, ())["parsed"].sum())

    def rendered(self) -> pl.Expr:
        """Write each row back as the text of its line, without the ending: String."""
        pieces = [pl.lit(self.prefix.decode())] if self.prefix else []
        for part in self.parts:
            pieces += [part.field.render(), pl.lit(part.after.decode())]
        return pl.concat_str(pieces)

    def _read(self, scan: Scanner, cut: Callable[[Scanner], Cuts], wanted: set[str]) -> tuple[pl.DataFrame, Flags]:
        starts, ends, valid = cut(scan)
        if not valid.all():  # the offsets of the other rows may lie anywhere
            starts = [np.where(valid, start, 0) for start in starts]
            ends = [np.where(valid, end, 0) for end in ends]
        exact = np.ones(len(valid), np.bool_)
        columns: dict[str, pl.Series] = {"parsed": pl.Series(exact)}
        wanted = wanted | {field.column for field in self._attributes if "attributes" in wanted}
        for part, start, end in zip(self.parts, starts, ends, strict=True):
            if part.field.checks or not wanted.isdisjoint(part.field.offers):
                read, valid, is_exact = part.field.read(scan, start, end, valid, wanted)
                columns |= {name: column for name, column in read.items() if name in wanted}
                exact = exact if is_exact is None else exact & is_exact
        frame = pl.DataFrame({**columns, "exact": exact})
        return self._with_attributes(frame) if self._attributes and "attributes" in wanted else frame, valid

    def _with_attributes(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Put the fields without a column of their own into ``attributes``; exact is what can be had out again."""
        values = pl.struct(pl.col(field.column).alias(field.name) for field in self._attributes)
        frame = frame.with_columns(attributes=values.struct.json_encode())
        same = [(field.render() == pl.col(field.column)).fill_null(value=False) for field in self._attributes]
        frame = frame.with_columns(exact=pl.all_horizontal("exact", *same))
        return frame.drop(field.column for field in self._attributes)

    def _cut_at_literals(self, scan: Scanner) -> Cuts:
        lines = scan.lines
        at = lines.starts + len(self.prefix)
        valid = scan.literal(self.prefix, lines.starts)
        starts, ends = [], []
        quote: Offsets | None = None  # which of the quotes is the first one behind ``at``, where that is known
        for part in self.parts:
            starts.append(at)
            if part.field.width:
                end = at + part.field.width
            elif not part.after:
                end = lines.ends
                valid &= at <= end  # the field before may have found its end on a later line
            elif part.after[0] == _QUOTE:
                quotes = scan.positions(_QUOTE)
                if quote is None:
                    quote = np.searchsorted(quotes, at)
                end = quotes[np.minimum(quote, len(quotes) - 1)]
            else:
                end = scan.first_of(part.after[:1], at, lines.ends)
            valid &= scan.literal(part.after, end)
            ends.append(end)
            at = end + len(part.after)
            # A field that is checked holds no quote, so behind it the next one is known without a search.
            if quote is not None:
                is_quoted = part.after[:1] == b'"'
                quote = quote + part.after.count(_QUOTE) if is_quoted or part.field.checks else None
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


def _without_absurd(frame: pl.DataFrame, receipt: Receipt | None) -> pl.DataFrame:
    """Take away times that cannot be, and tell of them in ``absurd``; nearly always there are none."""
    if "time" not in frame.columns:
        return frame
    time_us = pl.col("time").to_physical()
    possible = is_possible(time_us, receipt).fill_null(value=False)
    absurd = frame.select(pl.col("parsed") & ~possible).to_series()
    if not absurd.any():
        return frame.with_columns(absurd=absurd)
    own = [name for name in ("time", "zone") if name in frame.columns]
    return frame.with_columns(pl.when(possible).then(pl.col(own)), absurd=absurd, exact=pl.col("exact") & possible)


def _compile(text: str) -> tuple[bytes, list[Part]]:
    """Read the text of a template into its leading literal and its parts."""
    literals, names, places = _pieces(text)
    if not names:
        raise TemplateError("The template has no field; name at least {time}.", text, len(text))
    parts = []
    for name, before, after in zip(names, literals, literals[1:], strict=False):
        field = FIELDS.get(name)
        quotes = before.endswith('"') and after.startswith('"')
        if field is None:
            field = Attribute(name, quotes=quotes)
        elif isinstance(field, Text):
            field = Text(field.column, quotes=quotes)
        elif isinstance(field, Request):
            field = Request(quotes=quotes)
        parts.append(Part(name, field, after.encode()))
    for part, following, place in zip(parts, parts[1:], places[1:], strict=False):
        if not part.after and part.field.width is None:
            raise TemplateError(
                f"The template has {{{part.name}}} and {{{following.name}}} side by side, so nothing tells where the "
                "first one ends; put a character between them.",
                text,
                place,
            )
    _refuse_twice(text, parts, places)
    return literals[0].encode(), parts


def _pieces(text: str) -> tuple[list[str], list[str], list[int]]:
    """Return the literals around the fields, the names of the fields, and where those stand in ``text``."""
    literals, names, places = [""], list[str](), list[int]()
    for piece in _PIECE.finditer(text):
        name = piece["name"]
        if name is not None and not _NAME.fullmatch(name):
            message = f"The template has a field named {name!r}; a name is made of a-z, 0-9 and _."
            raise TemplateError(message, text, piece.start() + 1)
        if name is not None:
            names.append(name)
            places.append(piece.start())
            literals.append("")
        elif piece[0] in ("{", "}"):
            message = f"The template has a {piece[0]!r} without its partner; {piece[0] * 2!r} stands for the character."
            raise TemplateError(message, text, piece.start())
        elif "\n" in piece[0]:
            raise TemplateError("The template has a newline; it describes one line.", text, piece.start())
        else:
            literals[-1] += piece[0][0] if piece[0] in ("{{", "}}") else piece[0]
    return literals, names, places


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


def _literal(text: str) -> str:
    return "".join(char if char.isalnum() and char.isascii() else f"\\x{{{ord(char):x}}}" for char in text)
