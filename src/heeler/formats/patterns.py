r"""A format that is a regular expression: its named groups are the fields. It is data, and is written back too.

``(?<time>) (?<host>[^ ]+) (?<program>[^ :]+)(?:\[(?<pid>\d+)\])?: (?<message>.*)`` reads a line of syslog. A group
without an expression of its own gets the one of its kind. Where a pattern is no more than literals, groups and optional
parts, the columns tell the line again; what they do not tell exactly is kept beside them.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, Self

import polars as pl

from heeler.errors import TemplateError
from heeler.formats import severity
from heeler.formats.kinds import KIND_OF, KINDS, TEXTS, Kind, Level, Source, Stamp, StructuredData, Text
from heeler.formats.lines import Lines
from heeler.formats.regex import Group, Piece, compiled, pieces
from heeler.formats.text import kept, stripped, text_of
from heeler.formats.timestamps import ClockSpan, Receipt, clock_span
from heeler.formats.zones import Zone, zone_named

CONTINUES: Final = (
    r"^(?:[ \t]|Caused by: |\.\.\. \d+ |Traceback |\[stacktrace\]|#\d+ |\"?\}$|During handling|The above exception|"
    r"[A-Za-z_$][A-Za-z0-9_.$]*(?:Exception|Error)(?::|$)|$)"
)
"""How a line begins that goes on with the record before it, where a format says nothing else."""

NEVER: Final = r"[^\x{0}-\x{10FFFF}]"
"""What no text holds."""

TABLE_COLUMNS: Final = {
    "log": ("host", "program", "pid", "message"),
    "access": ("client", "ident", "remote_user", "method", "path", "protocol", "referer", "agent", "host"),
}
"""The groups that fill columns as text; others go into ``attributes``."""


def continuing(definition: Mapping[str, Any], table: str) -> str:
    """Return how a line begins that is no record by itself; requests are one line each, unless a format says else."""
    ways = [definition.get("continues", CONTINUES if table == "log" else ""), definition.get("skip", "")]
    return compiled("|".join(f"(?:{way})" for way in ways if way) or NEVER)


def zone_of(definition: Mapping[str, Any]) -> Zone | None:
    """Return the zone of stamps that name none, where a definition says it. Raises `UsageError` for what is none."""
    return zone_named(definition["zone"]) if "zone" in definition else None


class Pattern:
    """A format given as a pattern, for one table. See `heeler.formats.Format` for what it does.

    ``definition`` has ``pattern``; ``types`` by group (a name of `heeler.formats.kinds.KINDS`); ``levels``, the words
    of the group ``level`` with their meaning; ``continues`` and ``skip``, how a line begins that goes on with the
    record before, or is none; ``derive``, rules with ``column``, ``from`` (a group) and
    ``pattern``, whose first group fills a column that is empty; ``seek_level``, whether the message is searched for a
    word that tells the severity; ``zone`` of stamps that name none; and ``written``, how fields with several ways of
    writing are written. Raises `TemplateError`, with the place, for what cannot be understood.
    """

    kind = "pattern"

    def __init__(self, name: str, definition: Mapping[str, Any], table: str = "log") -> None:
        self.name = name
        self.table = table
        self.definition = dict(definition)
        self.text = json.dumps({"kind": self.kind, **self.definition}, ensure_ascii=False)
        pattern: str = definition["pattern"]
        compiled(pattern)  # refused with its own places, before groups are filled in
        self._kinds = self._kinds_of(pattern)
        self.full = self._filled(pattern)
        self._regex = compiled(f"(?s)^(?:{self.full})$")
        self._pieces = pieces(self.full)
        self._continues = continuing(definition, table)
        self._zone = zone_of(definition)
        self._derived = [(one["column"], one["from"], compiled(one["pattern"])) for one in definition.get("derive", ())]
        if definition.get("seek_level"):
            self._derived += [("severity", "message", compiled(seek)) for seek in severity.SEEK]
        filled = list(dict.fromkeys(column for kind in self._kinds.values() for column in kind.columns))
        self._attributes = [column for column in filled if column[0] == "@"]
        self.columns = (
            *(column for column in filled if column[0] != "@" and column != "absurd"),
            *dict.fromkeys(column for column, *_ in self._derived if column not in filled),
            *(["attributes"] if self._attributes else []),
        )
        self.offers = frozenset(self.columns)
        self._refuse_twice(pattern)

    def _kinds_of(self, pattern: str) -> dict[str, Kind]:
        types, levels = self.definition.get("types", {}), self.definition.get("levels")
        written = self.definition.get("written", {})
        found: dict[str, Kind] = {}
        for name in pl.Series([""]).str.extract_groups(compiled(pattern)).struct.fields:
            column = name if name in TABLE_COLUMNS[self.table] else "@" + name
            kind = types.get(name) or KIND_OF.get(name, "")
            if name == "level":
                found[name] = Level(levels)
            elif kind in TEXTS:
                found[name] = TEXTS[kind](column)
            elif kind in KINDS:
                found[name] = KINDS[kind](written.get(name, ""))
            elif kind:
                raise TemplateError(
                    f"The group {name!r} is said to be {kind!r}; known are {', '.join((*KINDS, *TEXTS))}.",
                    pattern,
                    pattern.find(name),
                )
            else:
                found[name] = Text(column)
        if not found:
            raise TemplateError("The pattern has no named group; name at least (?<message>…).", pattern, len(pattern))
        return found

    def _filled(self, pattern: str) -> str:
        for name, kind in self._kinds.items():
            for empty in (f"(?<{name}>)", f"(?P<{name}>)"):
                pattern = pattern.replace(empty, f"(?<{name}>{kind.pattern})")
        return pattern

    def _refuse_twice(self, pattern: str) -> None:
        seen: dict[str, str] = {}
        for name, kind in self._kinds.items():
            for column in kind.columns:
                if column in seen and column != "severity":
                    raise TemplateError(
                        f"The groups {seen[column]!r} and {name!r} both fill {column.lstrip('@')!r}; keep one.",
                        pattern,
                        pattern.find(f"<{name}>"),
                    )
                seen[column] = name

    def fitted(self, sample: Lines) -> Self:
        """Return this format as it writes the lines of ``sample``: with their layout of times, for one."""
        groups = self._groups(stripped(text_of(sample.readable())))
        written = {name: kind.fitted(groups[name].drop_nulls().to_list()) for name, kind in self._kinds.items()}
        written = {name: how for name, how in written.items() if how}
        return type(self)(self.name, {**self.definition, "written": written}, self.table) if written else self

    def parse(
        self, lines: Lines, columns: Collection[str] | None = None, receipt: Receipt | None = None
    ) -> pl.DataFrame:
        """See `heeler.formats.Format.parse`."""
        wanted = set(self.columns if columns is None else columns)
        text = text_of(lines.readable())
        seen = stripped(text)
        groups = self._groups(seen)
        fits = self._fits(groups, seen)
        frame = self._read(groups, wanted, receipt and receipt.within(self._zone))
        continues = ~fits & seen.str.contains(self._continues)
        if wanted.issuperset(self.columns):
            made = frame.select(self._line(lambda name: pl.col("@" + name))).to_series()
            exact = fits & (made == text).fill_null(value=False)
            raw = kept(lines, ~exact, text)
        else:
            raw = kept(lines, ~fits, text)
        frame = self._with_attributes(frame)
        chosen = [name for name in (*self.columns, "absurd") if name in frame.columns and name in {*wanted, "absurd"}]
        ends = {"ending": pl.Series(lines.ending), "parsed": fits | continues, "raw": raw, "continues": continues}
        return pl.DataFrame({name: frame[name] for name in chosen} | ends)

    def clock(self, lines: Lines) -> ClockSpan | None:
        """Return what stamps say that have no date; None where there are none."""
        names = [name for name, kind in self._kinds.items() if isinstance(kind, Stamp) and kind.family == "clock"]
        return clock_span(self._groups(stripped(text_of(lines.readable())))[names[0]]) if names else None

    def fits(self, lines: Lines) -> tuple[pl.Series, pl.Series]:
        """Tell which lines begin a record of this format, and which go on with the one before: two Boolean columns."""
        seen = stripped(text_of(lines.readable()))
        fits = self._fits(self._groups(seen), seen)
        return fits, ~fits & seen.str.contains(self._continues)

    def _groups(self, text: pl.Series) -> pl.DataFrame:
        return text.str.extract_groups(self._regex).struct.unnest()

    def _fits(self, groups: pl.DataFrame, text: pl.Series) -> pl.Series:
        always = [piece.name for piece in self._pieces or () if isinstance(piece, Group)]
        return groups[always[0]].is_not_null() if always else text.str.contains(self._regex)

    def _read(self, groups: pl.DataFrame, wanted: set[str], receipt: Receipt | None) -> pl.DataFrame:
        """Read what is wanted of the groups; several that tell a severity complete each other."""
        found: dict[str, pl.Series] = {}
        for name, kind in self._kinds.items():
            if wanted.isdisjoint(kind.columns) and not (
                "attributes" in wanted and any("@" in one for one in kind.columns)
            ):
                continue
            for column, values in kind.read(groups[name], receipt).items():
                found[column] = _coalesced(found.get(column), values)
        for column, group, pattern in self._derived:
            if column in wanted:
                text = groups[group].str.extract(pattern, 1)
                values = severity.of_words(text) if column == "severity" else text
                found[column] = _coalesced(found.get(column), values)
        return pl.DataFrame(found) if found else pl.DataFrame({"_": groups[next(iter(self._kinds))]})

    def _with_attributes(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Make the JSON object of what has no column of its own."""
        here = [column for column in self._attributes if column in frame.columns]
        if not here:
            return frame
        encoded = frame.select(pl.struct(pl.col(here).name.map(lambda name: name[1:])).struct.json_encode()).to_series()
        present = frame.select(pl.any_horizontal(pl.col(here).is_not_null())).to_series()
        made = pl.DataFrame({"text": encoded, "present": present})
        if "@structured_data" in here and frame["@structured_data"].is_not_null().any():
            more = StructuredData.objects(frame["@structured_data"])
            made = made.with_columns(more=more).with_columns(
                text=pl.concat_str(pl.col("text").str.strip_suffix("}"), "more", pl.lit("}"))
            )
        return frame.with_columns(made.select(attributes=pl.when("present").then("text")).to_series())

    def rendered(self) -> pl.Expr:
        """See `heeler.formats.Format.rendered`."""
        if not self._attributes:
            return self._line(lambda _: pl.lit(None, pl.String))
        names = [column[1:] for column in self._attributes]
        decoded = pl.col("attributes").str.json_decode(pl.Struct(dict.fromkeys(names, pl.String)))
        return self._line(decoded.struct.field)

    def _line(self, attribute: Source) -> pl.Expr:
        if self._pieces is None:
            return pl.lit(None, pl.String)
        return pl.concat_str([self._piece(piece, attribute) for piece in self._pieces])

    def _piece(self, piece: Piece, attribute: Source) -> pl.Expr:
        if isinstance(piece, str):
            return pl.lit(piece)
        if isinstance(piece, Group):
            return self._kinds[piece.name].render(attribute)
        # One of its groups is null where the part was left out, and makes the whole part null.
        return pl.concat_str([self._piece(inner, attribute) for inner in piece.pieces]).fill_null("")


def _coalesced(first: pl.Series | None, second: pl.Series) -> pl.Series:
    if first is None:
        return second
    return pl.DataFrame({"first": first, "second": second}).select(pl.coalesce("first", "second")).to_series()
