"""The kinds of field that a template may hold: how each is found in a line, read into columns, and written back.

A field is known to a template by its name. Adding one is a class here, or only a line in `FIELDS`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heeler.formats.lines import Offsets
from heeler.formats.scan import Flags, Scanner
from heeler.formats.section import sections
from heeler.runs import runs_of

Columns = dict[str, pl.Series]
Schema = Mapping[str, pl.DataType | type[pl.DataType]]

EXACT = "raw"
"""What is wanted where it matters whether the columns render back to the text: for `raw`, which is kept where not."""


class Reading(NamedTuple):
    """What a field holds, which rows really have one, and where `Field.render` gives back the very same text.

    ``exact`` is None where it always does. It is meaningful only for rows that are ``valid``, and only where
    `EXACT` was wanted.
    """

    columns: Columns
    valid: Flags
    exact: Flags | None = None


class Field(ABC):
    """One kind of field.

    ``columns`` are the columns it fills. ``strict`` is the regular expression (Rust syntax, without groups) of the
    field as a well-behaved program writes it, where ``{stop}`` stands for the first character behind the field;
    ``lenient`` is what it may be when the strict reading of a line fails. ``width`` is its length in bytes where that
    never changes. ``checks`` tells that its text can be wrong, so that it is read even where nobody asks for it; no
    such text holds a quote. ``offers`` are the columns, and what else can be had of the field: ``section``.
    """

    checks = True

    def __init__(self, columns: Schema, strict: str, lenient: str = "", width: int | None = None) -> None:
        self.columns = columns
        self.offers = set(columns)
        self.strict = strict
        self.lenient = lenient or strict
        self.width = width

    @abstractmethod
    def read(self, scan: Scanner, start: Offsets, end: Offsets, valid: Flags, wanted: AbstractSet[str]) -> Reading:
        """Read the field of every ``valid`` row. Columns that are not ``wanted`` may be left out."""

    @abstractmethod
    def render(self) -> pl.Expr:
        """Write the columns back as the text of the field, exactly as the common programs write it."""


_QUOTED = r'(?:[^"\\]|\\.)*'
_LONGEST_METHOD = 32
_UP_TO_STOP = "[^{stop}]*"


class Text(Field):
    """Text that ends where the literal behind it begins. In quotes a backslash escapes, as nginx and Apache do."""

    checks = False

    def __init__(self, column: str, *, quotes: bool = False) -> None:
        super().__init__({column: pl.String}, _QUOTED if quotes else _UP_TO_STOP, ".*?")
        self.column = column

    def read(self, scan: Scanner, start: Offsets, end: Offsets, valid: Flags, wanted: AbstractSet[str]) -> Reading:
        """See `Field.read`."""
        del wanted
        return Reading({self.column: scan.text(start, end, None if valid.all() else valid)}, valid)

    def render(self) -> pl.Expr:
        """See `Field.render`."""
        return pl.col(self.column)


class Attribute(Text):
    """Text without a column of its own: read as column ``@name``, stored in the JSON object ``attributes``."""

    def __init__(self, name: str, *, quotes: bool) -> None:
        super().__init__("@" + name, quotes=quotes)
        self.name = name

    def render(self) -> pl.Expr:
        """See `Field.render`."""
        return pl.col("attributes").str.json_decode(pl.Struct({self.name: pl.String})).struct.field(self.name)


class Request(Field):
    """An HTTP request line, ``GET /path HTTP/1.1``, as three columns.

    What is not a method, a target and a protocol (a TLS handshake on a plain port, ``-``, nothing at all, HTTP/0.9)
    is malformed: ``method`` and ``protocol`` are null and ``path`` holds the whole text.
    """

    checks = False

    def __init__(self, *, quotes: bool = False) -> None:
        columns = {"method": pl.String, "path": pl.String, "protocol": pl.String}
        super().__init__(columns, _QUOTED if quotes else _UP_TO_STOP, ".*?")
        self.offers.add("section")

    def read(self, scan: Scanner, start: Offsets, end: Offsets, valid: Flags, wanted: AbstractSet[str]) -> Reading:
        """See `Field.read`. A protocol is ``HTTP/`` and up to three more characters."""
        first = scan.first_of(b" ", start, np.minimum(start + _LONGEST_METHOD, end))
        long, short = np.maximum(end - 9, 0), np.maximum(end - 7, 0)
        last = np.where(scan.literal(b" HTTP/", long), long, short)
        whole = valid & (first + 1 < last) & scan.literal(b" HTTP/", last) & scan.literal(b" ", first)
        # Three capitals tell a method from what binary protocols and scanners send.
        head = scan.load(start)[:, 0]
        for shift in (0, 8, 16):
            whole &= ((head >> np.uint32(shift) & np.uint32(0xFF)) - np.uint32(ord("A"))) < 26
        all_whole, all_valid = bool(whole.all()), bool(valid.all())
        columns = {}
        if "method" in wanted:
            columns["method"] = scan.text(start, first, None if all_whole else whole)
        if "protocol" in wanted:
            columns["protocol"] = scan.text(last + 1, end, None if all_whole else whole)
        if not wanted.isdisjoint(("path", "section")):
            begin, stop = (
                (first + 1, last) if all_whole else (np.where(whole, first + 1, start), np.where(whole, last, end))
            )
            if "path" in wanted:
                columns["path"] = scan.text(begin, stop, None if all_valid else valid)
            if "section" in wanted:
                columns["section"] = self._section(scan, begin, stop, whole, valid)
        return Reading(columns, valid)

    @staticmethod
    def _section(scan: Scanner, start: Offsets, end: Offsets, whole: Flags, valid: Flags) -> pl.Series:
        """Read the section of each request: of a path that begins as most do, where its first part ends."""
        octets = scan.octets
        usual = whole & (octets[start] == ord("/")) & (octets[start + 1] != ord("/"))
        stop = scan.first_of(b"/?#", start + 1, np.maximum(start + 1, end))
        if usual.all():
            return scan.text(start, stop)
        rest = np.flatnonzero(~usual)
        paths = scan.text(start[rest], end[rest], valid[rest])
        method = pl.when("whole").then(pl.lit("GET"))
        others = sections(pl.DataFrame({"path": paths, "whole": whole[rest]}).select("path", method=method))
        return scan.text(start, stop, usual, instead=(rest, others.to_list()))

    def render(self) -> pl.Expr:
        """See `Field.render`."""
        # Where the request is malformed, method and protocol are null and the path is all.
        return pl.concat_str("method", "path", "protocol", separator=" ", ignore_nulls=True)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_KEYS = np.array([int.from_bytes(name.encode(), "little") for name in _MONTHS], np.uint32)


class Time(Field):
    """A time with its zone, of a fixed layout: UTC microseconds and minutes east of UTC.

    In the layout ``YYYY``, ``MM`` or ``MON`` (English always), ``DD``, ``hh``, ``mm``, ``ss`` are the local time,
    ``+`` is the sign and ``ZZ``, ``zz`` the hours and minutes of the zone; everything else stands for itself.
    """

    def __init__(self, layout: str, strftime: str) -> None:
        self._layout = layout
        self._strftime = strftime
        self._zone_colon = ":" if "ZZ:zz" in layout else ""
        month = layout.replace("MON", "[A-Z][a-z]{2}")
        digits = re.sub("YYYY|MM|DD|hh|mm|ss|ZZ|zz", lambda match: f"[0-9]{{{len(match[0])}}}", month)
        super().__init__({"time": pl.Datetime("us"), "zone": pl.Int16}, digits.replace("+", "[+-]"), width=len(layout))
        self._literals = [(at, char) for at, char in enumerate(layout) if not char.isalpha() and char != "+"]
        if "T" in layout:
            self._literals.append((layout.index("T"), "T"))

    def read(self, scan: Scanner, start: Offsets, end: Offsets, valid: Flags, wanted: AbstractSet[str]) -> Reading:
        """See `Field.read`. Lines of one second carry the same text, so only the first of each run is looked at."""
        del end
        # Twice sixteen bytes cover every layout.
        loaded = [scan.load(start + at).view(np.uint64) for at in (0, len(self._layout) - 16)]
        heads, runs = runs_of(*(half for part in loaded for half in part.T))
        time_us, zone, good, possible = self._values(scan, start[heads])
        exact = None
        if EXACT in wanted:
            exact = np.repeat(self._is_exact(scan, start[heads], time_us, zone) & possible, runs)
        valid = valid & np.repeat(good, runs)
        has_time = valid & np.repeat(possible, runs)
        time = _integers(np.repeat(time_us, runs), has_time, pl.Datetime("us"))
        zones = _integers(np.repeat(zone, runs), has_time, pl.Int16)
        return Reading({"time": time, "zone": zones}, valid, exact)

    def _is_exact(self, scan: Scanner, start: Offsets, time_us: NDArray[np.int64], zone: NDArray[np.int16]) -> Flags:
        """Tell which times are written as they stand there: ``-0000`` is not, nor a 60th second."""
        time = pl.Series(time_us).cast(pl.Datetime("us"))
        frame = pl.DataFrame({"time": time, "zone": zone, "text": scan.text(start, start + len(self._layout))})
        return frame.select(self.render() == pl.col("text")).to_series().to_numpy()

    def _values(self, scan: Scanner, start: Offsets) -> tuple[NDArray[np.int64], NDArray[np.int16], Flags, Flags]:
        """Return times, zones, which texts are of the layout, and which of these are times that can be."""
        text = scan.octets[
            np.minimum(start, len(scan.octets) - len(self._layout))[:, None] + np.arange(len(self._layout))
        ]
        good = np.ones(len(start), np.bool_)
        for at, char in self._literals:
            good &= text[:, at] == ord(char)

        def number(name: str) -> NDArray[np.int64]:
            at = self._layout.index(name)
            digits = text[:, at : at + len(name)].astype(np.int64) - ord("0")
            np.logical_and(good, ((digits >= 0) & (digits <= 9)).all(axis=1), out=good)
            return digits @ (10 ** np.arange(len(name))[::-1])

        if "MON" in self._layout:
            key = scan.load(start + self._layout.index("MON"))[:, 0] & np.uint32(0xFFFFFF)
            is_month = key[:, None] == _MONTH_KEYS
            good &= is_month.any(axis=1)
            month = is_month.argmax(axis=1) + 1
        else:
            month = number("MM")
        year, day, hour, minute, second = (number(name) for name in ("YYYY", "DD", "hh", "mm", "ss"))
        zone_hour, zone_minute = number("ZZ"), number("zz")
        sign = text[:, self._layout.index("+")]
        good &= (sign == ord("-")) | (sign == ord("+"))
        zone = np.where(sign == ord("-"), -1, 1) * (zone_hour * 60 + zone_minute)
        # A 60th second is a leap second; the clock of Unix counts it as the first of the next minute.
        possible = (hour < 24) & (minute < 60) & (second <= 60) & (zone_hour < 24) & (zone_minute < 60)
        possible &= good & (year > 0) & (month >= 1) & (month <= 12)
        first = (np.where(possible, year, 1970) - 1970).astype("M8[Y]").astype("M8[M]")
        first += np.where(possible, month, 1) - 1
        possible &= (day >= 1) & (first.astype("M8[D]") + (day - 1) < (first + 1).astype("M8[D]"))
        days = first.astype("M8[D]").astype(np.int64) + day - 1
        seconds = days * 86_400 + hour * 3600 + (minute - zone) * 60 + second
        time_us = np.where(possible, seconds * 1_000_000, 0)
        return time_us, np.where(possible, zone, 0).astype(np.int16), good, possible

    def render(self) -> pl.Expr:
        """See `Field.render`."""
        # Lines of one second carry the same text, so it is made once for each run of them.
        runs = pl.struct("time", "zone").rle()
        time, zone = (runs.struct.field("value").struct.field(name) for name in ("time", "zone"))
        zone = zone.cast(pl.Int32)
        local = (time + pl.duration(minutes=zone)).dt.strftime(self._strftime)
        sign = pl.when(zone < 0).then(pl.lit("-")).otherwise(pl.lit("+"))
        hours = (zone.abs() // 60).cast(pl.String).str.zfill(2)
        minutes = (zone.abs() % 60).cast(pl.String).str.zfill(2)
        text = pl.concat_str(local, sign, hours, pl.lit(self._zone_colon), minutes)
        return text.repeat_by(runs.struct.field("len")).explode()


class Status(Field):
    """A three-digit HTTP status."""

    def __init__(self) -> None:
        super().__init__({"status": pl.UInt16}, "[0-9]{3}", width=3)

    def read(self, scan: Scanner, start: Offsets, end: Offsets, valid: Flags, wanted: AbstractSet[str]) -> Reading:
        """See `Field.read`."""
        del wanted
        value, good = scan.number(start, end - start, valid)
        return Reading({"status": _integers(value, good, pl.UInt16)}, good)

    def render(self) -> pl.Expr:
        """See `Field.render`."""
        return pl.col("status").cast(pl.String).str.zfill(3)


class Number(Field):
    """A count of 0 or more, with ``-`` for none; ``scale`` turns what is written into what is stored."""

    def __init__(self, column: str, dtype: pl.DataType | type[pl.DataType], scale: int = 1) -> None:
        # Scaled or not, what is stored stays below 10^16, so that no number is too large for its column.
        self._digits = 17 - len(str(scale))
        super().__init__({column: dtype}, f"[0-9]{{1,{self._digits}}}|-")
        self.column, self.dtype, self.scale = column, dtype, scale

    def read(self, scan: Scanner, start: Offsets, end: Offsets, valid: Flags, wanted: AbstractSet[str]) -> Reading:
        """See `Field.read`."""
        del wanted
        dash = valid & (end - start == 1) & (scan.octets[np.minimum(start, len(scan.octets) - 1)] == ord("-"))
        value, good = scan.number(start, end - start, valid & ~dash & (end - start <= self._digits))
        column = _integers(value * np.uint64(self.scale), good, self.dtype)
        return Reading({self.column: column}, good | dash, dash | ~scan.leads_with_zero(start, end))

    def render(self) -> pl.Expr:
        """See `Field.render`."""
        return (pl.col(self.column).cast(pl.Int64) // self.scale).cast(pl.String).fill_null("-")


class Seconds(Field):
    """A duration as nginx writes it, seconds with three decimals (``0.042``); stored in microseconds."""

    def __init__(self) -> None:
        super().__init__({"duration": pl.Duration("us")}, "[0-9]{1,9}[.][0-9]{3}|-")

    def read(self, scan: Scanner, start: Offsets, end: Offsets, valid: Flags, wanted: AbstractSet[str]) -> Reading:
        """See `Field.read`."""
        del wanted
        dash = valid & (end - start == 1) & (scan.octets[np.minimum(start, len(scan.octets) - 1)] == ord("-"))
        point = np.maximum(end - 4, 0)
        has_point = valid & (point > start) & (point - start <= 9) & scan.literal(b".", point)
        whole, good = scan.number(start, point - start, has_point)
        thousandths, good = scan.number(point + 1, np.full(len(start), 3), good)
        micros = (whole * np.uint64(1000) + thousandths) * np.uint64(1000)
        column = _integers(micros, good, pl.Duration("us"))
        return Reading({"duration": column}, good | dash, dash | ~scan.leads_with_zero(start, point))

    def render(self) -> pl.Expr:
        """See `Field.render`."""
        millis = pl.col("duration").dt.total_milliseconds()
        text = pl.concat_str(millis // 1000, pl.lit("."), (millis % 1000).cast(pl.String).str.zfill(3))
        return text.fill_null("-")


def _integers(
    value: NDArray[np.uint64 | np.int64 | np.int16], valid: Flags, dtype: pl.DataType | type[pl.DataType]
) -> pl.Series:
    numbers = pl.Series(value)
    if not valid.all():
        numbers = pl.select(pl.when(pl.lit(pl.Series(valid))).then(pl.lit(numbers))).to_series()
    if dtype in (pl.Duration, pl.Datetime):  # which are not made of UInt64
        numbers = numbers.cast(pl.Int64)
    return numbers.cast(dtype)


FIELDS: Mapping[str, Field] = {
    "client": Text("client"),
    "ident": Text("ident"),
    "user": Text("remote_user"),
    "host": Text("host"),
    # httpd mod_log_config %t and nginx $time_local; ISO 8601 as nginx writes $time_iso8601
    "time": Time("DD/MON/YYYY:hh:mm:ss +ZZzz", "%d/%b/%Y:%H:%M:%S "),
    "time_iso": Time("YYYY-MM-DDThh:mm:ss+ZZ:zz", "%Y-%m-%dT%H:%M:%S"),
    "request": Request(),
    "method": Text("method"),
    "path": Text("path"),
    "protocol": Text("protocol"),
    "status": Status(),
    "bytes": Number("bytes", pl.UInt64),
    "referer": Text("referer"),
    "agent": Text("agent"),
    "duration": Seconds(),
    "duration_s": Number("duration", pl.Duration("us"), 1_000_000),
    "duration_ms": Number("duration", pl.Duration("us"), 1000),
    "duration_us": Number("duration", pl.Duration("us")),
}
"""The fields with columns of their own. A template may name others: those go into ``attributes``."""
