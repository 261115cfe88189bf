"""What JSON lines and logfmt have in common: lines that name their fields themselves.

The line stands verbatim in ``attributes``, so that it is rendered exactly whatever it holds; the other columns are
extracted copies. Extraction is row by row: a broken line, a type that drifts, a key given twice change no other row.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Self

import polars as pl

from heeler.errors import UsageError
from heeler.formats import severity
from heeler.formats.lines import Lines
from heeler.formats.patterns import continuing, zone_of
from heeler.formats.text import kept, stripped, text_of
from heeler.formats.timestamps import Receipt, times

Schema = Mapping[str, pl.DataType | type[pl.DataType]]

TYPES: Final[Schema] = {
    "time": pl.Datetime("us"),
    "zone": pl.Int16,
    "severity": pl.UInt8,
    "host": pl.String,
    "program": pl.String,
    "pid": pl.String,
    "message": pl.String,
    "client": pl.String,
    "ident": pl.String,
    "remote_user": pl.String,
    "method": pl.String,
    "path": pl.String,
    "protocol": pl.String,
    "status": pl.UInt16,
    "bytes": pl.UInt64,
    "referer": pl.String,
    "agent": pl.String,
    "duration": pl.Duration("us"),
}
"""The columns that fields may fill."""

_STAMPS: Final = ("iso", "epoch", "clf", "slash", "bsd", "compact", "day_month", "ctime")
"""The families that a time in a field is tried as, in this order."""

_MICROS: Final = {"s": 1_000_000.0, "ms": 1000.0, "us": 1.0, "ns": 0.001}
_FIRST_WORD: Final = r"^[^ ]+"
_DURATION: Final = r"^(-?[0-9.]+(?:e-?[0-9]+)?)(ns|us|µs|ms|s|m)?$"


class Named:
    """A format whose lines name their fields; `Json` and `Logfmt` say how.

    ``definition`` has ``columns``: for each column the names of fields that may fill it, the first one that is there
    counts; ``requires``, names that a line must have one of each, alternatives separated by ``|``; ``unit`` of a
    duration without one; and ``continues`` as `heeler.formats.patterns.Pattern` has it.
    """

    kind = ""

    def __init__(self, name: str, definition: Mapping[str, Any], table: str = "log") -> None:
        self.name = name
        self.table = table
        self.definition = dict(definition)
        self.text = json.dumps({"kind": self.kind, **self.definition}, ensure_ascii=False)
        self._fields: dict[str, list[str]] = definition["columns"]
        if unknown := [column for column in self._fields if column not in TYPES]:
            raise UsageError(f"The format {name!r} fills the column {unknown[0]!r}; there are {', '.join(TYPES)}.")
        self._requires = [one.split("|") for one in definition.get("requires", [])]
        self._unit = _MICROS[definition.get("unit", "s")]
        self._continues = continuing(definition, table)
        self._zone = zone_of(definition)
        zone = ("zone",) if "time" in self._fields else ()
        graded = ("severity",) if definition.get("unpack") and "severity" not in self._fields else ()
        self.columns = (*self._fields, *zone, *graded, "attributes")
        self.offers = frozenset(self.columns)

    def extract(self, text: pl.Series, names: Sequence[str]) -> tuple[pl.Series, dict[str, pl.Series]]:
        """Tell which texts are what this reads, and return the named fields of those, as text, null where absent."""
        raise NotImplementedError

    def fitted(self, sample: Lines) -> Self:
        """Return this format: how it is written does not depend on the lines."""
        del sample
        return self

    def parse(
        self, lines: Lines, columns: Collection[str] | None = None, receipt: Receipt | None = None
    ) -> pl.DataFrame:
        """See `heeler.formats.Format.parse`."""
        wanted = set(self.columns if columns is None else columns)
        text = text_of(lines.readable())
        seen = stripped(text)
        fits, frame = self.read(seen, wanted, receipt)
        continues = ~fits & seen.str.contains(self._continues)
        if "attributes" in wanted:
            frame = frame.with_columns(
                attributes=pl.DataFrame({"l": text, "f": fits}).select(pl.when("f").then("l")).to_series()
            )
        raw = kept(lines, ~fits, text)
        chosen = [name for name in (*self.columns, "absurd") if name in frame.columns]
        ends = {"ending": pl.Series(lines.ending), "parsed": fits | continues, "raw": raw, "continues": continues}
        return pl.DataFrame({name: frame[name] for name in chosen} | ends)

    def fits(self, lines: Lines) -> tuple[pl.Series, pl.Series]:
        """Tell which lines are records of this format, and which go on with the one before: two Boolean columns."""
        seen = stripped(text_of(lines.readable()))
        fits, _ = self.read(seen, set(), None)
        return fits, ~fits & seen.str.contains(self._continues)

    def read(
        self, text: pl.Series, wanted: AbstractSet[str], receipt: Receipt | None
    ) -> tuple[pl.Series, pl.DataFrame]:
        """Tell which texts are records, and read what is ``wanted`` of them."""
        needed = {
            column: names
            for column, names in self._fields.items()
            if column in wanted or (column == "time" and "zone" in wanted)
        }
        names = [name for alternatives in (*needed.values(), *self._requires) for name in alternatives]
        fits, fields = self.extract(text, list(dict.fromkeys(names)))
        table = pl.DataFrame(fields) if fields else pl.DataFrame({"_": text})
        for alternatives in self._requires:
            fits &= table.select(pl.any_horizontal(pl.col(alternatives).is_not_null())).to_series()
        made: dict[str, pl.Series] = {}
        for column, alternatives in needed.items():
            texts = table.select(pl.coalesce(alternatives)).to_series().alias("text")
            made |= self._column(column, texts, fits, receipt and receipt.within(self._zone))
        frame = pl.DataFrame(made) if made else pl.DataFrame({"_": fits})
        if made and not fits.all():
            frame = frame.with_columns(pl.when(fits).then(pl.all()).name.keep())
        return fits, frame

    def _column(self, column: str, texts: pl.Series, fits: pl.Series, receipt: Receipt | None) -> dict[str, pl.Series]:
        if column == "time":
            return _times(texts, fits, receipt)
        if column == "severity":
            grave = severity.of_words(texts.str.strip_chars(" "))
            return {column: _coalesced(grave, severity.of_numbers(texts)) if grave.null_count() else grave}
        if column == "duration":
            return {column: self._durations(texts)}
        dtype = TYPES[column]
        if dtype != pl.String:
            return {column: _whole(texts).cast(dtype, strict=False)}
        if column == "message" and texts.str.ends_with("\n").any():
            return {column: texts.str.strip_suffix("\n")}
        return {column: texts}

    def _durations(self, texts: pl.Series) -> pl.Series:
        plain = texts.cast(pl.Float64, strict=False)
        if plain.null_count() == texts.null_count():
            return _micros(plain * self._unit)
        number, unit = texts.str.extract_groups(_DURATION).struct.unnest().iter_columns()
        scales = {**_MICROS, "µs": 1.0, "m": 60_000_000.0}
        scale = unit.replace_strict(scales, default=self._unit, return_dtype=pl.Float64)
        return _micros(number.cast(pl.Float64, strict=False) * scale)

    def rendered(self) -> pl.Expr:
        """See `heeler.formats.Format.rendered`."""
        return pl.col("attributes")


def _times(texts: pl.Series, fits: pl.Series, receipt: Receipt | None) -> dict[str, pl.Series]:
    """Read times that may be written in any way; what all families fail at is absurd."""
    empty = {"time": pl.Series([None], dtype=pl.Datetime("us")), "zone": pl.Series([None], dtype=pl.Int16)}
    found = {name: one.new_from_index(0, len(texts)) for name, one in empty.items()}
    missing = texts
    first = texts.drop_nulls().head(1).to_list()
    # Seconds since 1970 and dates are never taken for each other, so the likelier ones may come first.
    families = sorted(_STAMPS, key=lambda family: family != "epoch") if first and first[0][:5].isdigit() else _STAMPS
    for family in families:
        read = times(family, missing, receipt)
        found = {name: _coalesced(one, read[name]) for name, one in found.items()}
        still = found["time"].is_null() & texts.is_not_null() & fits
        if not still.any():
            break
        missing = pl.DataFrame({"still": still, "text": texts}).select(pl.when("still").then("text")).to_series()
    return {**found, "absurd": still}


def _whole(texts: pl.Series) -> pl.Series:
    """Read whole numbers, also those that are written with a point."""
    numbers = texts.cast(pl.Int64, strict=False)
    if numbers.null_count() == texts.null_count():
        return numbers
    return _coalesced(numbers, texts.cast(pl.Float64, strict=False).cast(pl.Int64, strict=False))


def _micros(micros: pl.Series) -> pl.Series:
    return micros.round().cast(pl.Int64, strict=False).cast(pl.Duration("us"))


def _coalesced(first: pl.Series, second: pl.Series) -> pl.Series:
    return pl.DataFrame({"a": first, "b": second}).select(pl.coalesce("a", "b")).to_series()
