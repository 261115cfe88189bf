"""Reading stamps into times: all of a column at once, with what a stamp leaves out inferred by rules.

The rules, where a stamp has
- no zone: it is in the zone that somebody said; else it is read as UTC, and ``zone`` stays null;
- no year: the year is the latest that puts it no more than a day after the lines were received, or after their file was
  last written, whichever is earlier; 29 February means a leap year;
- no date: the last stamp of a chunk is of the day that is known (`heeler.ingest.days`), else within twelve hours of
  that moment; going back from it a step of more than twelve hours to a later time of day is the midnight between them,
  and a step of more than 23 hours to an earlier one is a line that was late over midnight;
- a time that cannot be (a 31 February), before 2 January 1970 or more than a day after the lines were received: it is
  *absurd*, no time is made of it, and the time of receiving counts.
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from heeler.formats.regex import compiled
from heeler.formats.stamps import FAMILIES, zone_minutes
from heeler.formats.zones import Zone

DAY_S: Final = 86_400
DAY_US: Final = DAY_S * 1_000_000
_HALF_DAY_S: Final = DAY_S // 2
_LATE_S: Final = 3600
"""A line may be so late over midnight; a step to a later time of day that is longer is a silence."""
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of lines beside themselves.

    When they came in, and when the file that they stand in was last written, if in one: UTC microseconds; the zone of
    stamps that name none; the day (since 1970, as their clock counts) of the last stamp without a date; and how far
    ahead of their receipt a time may lie.
    """

    received_us: int
    written_us: int | None = None
    zone: Zone | None = None
    last_day: int | None = None
    ahead_us: int = DAY_US

    @property
    def latest_us(self) -> int:
        """The moment that an incomplete stamp lies before, or shortly after."""
        return self.received_us if self.written_us is None else min(self.received_us, self.written_us)

    @property
    def latest_local_us(self) -> int:
        """The same as the clock showed it that wrote the stamps."""
        return self.zone.local_us(self.latest_us) if self.zone else self.latest_us

    def day_of(self, last_s: int) -> int:
        """Return the day of a stamp without a date, the last one, which is near to that moment."""
        return (self.latest_local_us // 1_000_000 - last_s + _HALF_DAY_S) // DAY_S

    def within(self, zone: Zone | None) -> "Receipt":
        """Return this, with a zone that counts where none was said."""
        return replace(self, zone=zone) if zone and self.zone is None else self


def times(family: str, stamps: pl.Series, receipt: Receipt | None) -> pl.DataFrame:
    """Read stamps of a family: ``time`` (Datetime us, UTC), ``zone`` (Int16), ``absurd`` (Boolean), one row each.

    Without a ``receipt`` stamps that leave out a year or a date have no time.
    """
    whole, micros = _without_fractions(stamps) if family in _FRACTION_APART else (stamps, None)
    # Many lines carry the same text but for a fraction, so each run is read once.
    runs = whole.rle().struct.unnest()
    parts = _parts(family, runs["value"])
    if "E" in parts.columns:
        read = parts.select(time_us=_since_epoch(), zone=pl.lit(None, pl.Int16))
    else:
        zone = pl.lit(None, pl.Int16)
        if "Z" in parts.columns:
            minutes = {name: zone_minutes(name) for name in parts["Z"].unique().drop_nulls().to_list()}
            zone = pl.col("Z").replace_strict(minutes, default=None, return_dtype=pl.Int16)
        parts = _in_zone(parts.with_columns(zone=zone, days=_days(parts, receipt)), receipt)
        east_s = pl.col("zone").cast(pl.Int64).fill_null(0) * 60
        seconds = pl.col("days") * DAY_S + pl.col("second_of_day") - east_s
        read = parts.select(time_us=seconds * 1_000_000 + pl.col("f"), zone="zone")
    if runs.height < len(stamps):
        read = read[pl.select(pl.int_range(runs.height).repeat_by(runs["len"]).explode()).to_series()]
    if micros is not None:
        read = read.with_columns(time_us=pl.col("time_us") + micros)
    possible = is_possible(pl.col("time_us"), receipt)
    return read.select(
        time=pl.when(possible).then("time_us").cast(pl.Datetime("us")),
        zone=pl.when(possible).then("zone"),
        absurd=~possible.fill_null(value=False) & stamps.is_not_null(),
    )


def is_possible(time_us: pl.Expr, receipt: Receipt | None) -> pl.Expr:
    """Tell which times can be when lines were written, null for those that are null."""
    return time_us.is_between(DAY_US, receipt.received_us + receipt.ahead_us if receipt else 1 << 62)


def _in_zone(parts: pl.DataFrame, receipt: Receipt | None) -> pl.DataFrame:
    """Give stamps that name no zone the one that somebody said."""
    if receipt is None or receipt.zone is None or not parts["zone"].null_count():
        return parts
    local = parts.select((pl.col("days") * DAY_S + pl.col("second_of_day")) * 1_000_000).to_series()
    said = receipt.zone.minutes_east(local.cast(pl.Datetime("us")))
    return parts.with_columns(zone=pl.coalesce("zone", pl.lit(said)))


_FRACTION_APART: Final = frozenset(
    ("iso", "rfc5424", "slash", "clf", "bsd", "ctime", "klog", "clock", "w3c", "day_month")
)
"""Families in which the first point or comma begins a fraction."""


def _without_fractions(stamps: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """Take the fractions out of stamps: return those without them, and microseconds, null for what is no fraction."""
    first = stamps.drop_nulls().head(1).to_list()
    sign = "," if first and "," in first[0] else "."
    if not stamps.str.contains(sign, literal=True).any():
        return stamps, None
    cut = pl.DataFrame({"stamp": stamps}).select(
        pl.col("stamp").str.splitn(sign, 2).struct.rename_fields(["head", "rest"])
    )
    cut = cut.unnest("stamp").with_columns(tail=pl.col("rest").str.strip_chars_start("0123456789"))
    digits = pl.col("rest").str.strip_suffix(pl.col("tail"))
    length = digits.str.len_bytes()
    micros = digits.str.head(6).str.pad_end(6, "0").cast(pl.Int64, strict=False)
    cut = cut.select(
        whole=pl.concat_str("head", pl.col("tail").fill_null("")),
        micros=pl.when(pl.col("rest").is_null()).then(0).when(length.is_between(1, 9)).then(micros),
    )
    return cut["whole"], cut["micros"]


def _parts(family: str, stamps: pl.Series) -> pl.DataFrame:
    """Cut stamps and read their numbers. ``f`` is in microseconds; ``second_of_day`` is null for what is no clock."""
    groups = stamps.str.extract_groups(compiled(f"^(?:{FAMILIES[family]})$")).struct.unnest()
    have = set(groups.columns)
    numbers = [
        pl.col(name).str.strip_chars(" ").cast(pl.Int64, strict=False) for name in ("YYYY", "MM", "E") if name in have
    ]
    day = pl.coalesce(pl.col(name) for name in ("DD", "D") if name in have) if have & {"DD", "D"} else None
    micros = pl.col("f").str.pad_end(6, "0").str.head(6).cast(pl.Int64) if "f" in have else pl.lit(0, pl.Int64)
    made: dict[str, pl.Expr] = {"f": micros.fill_null(0)}
    if day is not None:
        made["DD"] = day.str.strip_chars(" ").cast(pl.Int64, strict=False)
    if "MON" in have:
        numbered = dict(zip(_MONTHS, range(1, 13), strict=True))
        made["MM"] = pl.col("MON").replace_strict(numbered, default=None, return_dtype=pl.Int64)
    if "ss" in have:
        clock = ("H" if "H" in have else "hh", "mm", "ss")
        hour, minute, second = (pl.col(name).str.strip_chars(" ").cast(pl.Int64, strict=False) for name in clock)
        # A 60th second is a leap second; the clock of Unix counts it as the first of the next minute.
        valid = (hour < 24) & (minute < 60) & (second <= 60)
        made["second_of_day"] = pl.when(valid).then(hour * 3600 + minute * 60 + second)
    keep = [pl.col("Z")] if "Z" in have else []
    return groups.select(*numbers, *keep, **made)


def _since_epoch() -> pl.Expr:
    """Return microseconds: the number of digits tells the unit."""
    value = pl.col("E")
    scaled = (
        pl.when(value < 10**11)
        .then(value * 1_000_000 + pl.col("f"))
        .when(value < 10**14)
        .then(value * 1000 + pl.col("f") // 1000)
        .when(value < 10**17)
        .then(value)
    )
    return scaled.otherwise(value // 1000)


def _days(parts: pl.DataFrame, receipt: Receipt | None) -> pl.Series:
    """Return days since 1970, null where there is no such day."""
    if "DD" not in parts.columns:
        return _days_of_clock(parts["second_of_day"], receipt)
    if "YYYY" not in parts.columns:
        parts = parts.with_columns(YYYY=pl.lit(None, pl.Int64))
    if parts["YYYY"].null_count():
        parts = parts.with_columns(YYYY=pl.coalesce("YYYY", _year(receipt)))
    return parts.select(_civil(pl.col("YYYY"), pl.col("MM"), pl.col("DD"))).to_series()


def _civil(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Return days since 1970-01-01 in the Gregorian calendar.

    Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", ``days_from_civil``.
    """
    is_leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    in_month = pl.when(month == 2).then(28 + is_leap.cast(pl.Int64)).otherwise(30 + (month + month // 8) % 2)
    shifted = year - (month <= 2).cast(pl.Int64)
    era = shifted // 400
    year_of_era = shifted - era * 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468
    return pl.when((year > 0) & month.is_between(1, 12) & (day >= 1) & (day <= in_month)).then(days)


def _year(receipt: Receipt | None) -> pl.Expr:
    if receipt is None:
        return pl.lit(None, pl.Int64)
    last = _EPOCH + dt.timedelta(microseconds=receipt.latest_local_us + DAY_US)
    last_second = last.hour * 3600 + last.minute * 60 + last.second
    moment = (pl.col("MM") * 100 + pl.col("DD")) * DAY_S + pl.col("second_of_day")
    comes_later = moment > (last.month * 100 + last.day) * DAY_S + last_second
    leap = max(
        year for year in range(last.year - 8, last.year + 1) if _is_leap(year) and (year, 2, 29) <= last.timetuple()[:3]
    )
    is_leap_day = (pl.col("MM") == 2) & (pl.col("DD") == 29)
    return pl.when(is_leap_day).then(leap).otherwise(last.year - comes_later.cast(pl.Int64))


def _is_leap(year: int) -> bool:
    return (year % 4 == 0 and year % 100 != 0) or year % 400 == 0


def _days_of_clock(second_of_day: pl.Series, receipt: Receipt | None) -> pl.Series:
    """Return the day of each clock time, going back from the last one."""
    known = second_of_day.drop_nulls()
    if receipt is None or not len(known):
        return pl.Series([None], dtype=pl.Int64).new_from_index(0, len(second_of_day))
    last_day = receipt.day_of(int(known[-1])) if receipt.last_day is None else receipt.last_day
    midnights = _midnights(second_of_day.forward_fill())
    return midnights.cum_sum() - int(midnights.sum()) + last_day


def _midnights(second_of_day: pl.Series) -> pl.Series:
    """Tell how many days each clock time lies behind the one before it: 1 behind a midnight, -1 before one, else 0."""
    step = second_of_day.diff().fill_null(0)
    return (step < -_HALF_DAY_S).cast(pl.Int64) - (step > DAY_S - _LATE_S).cast(pl.Int64)


@dataclass(frozen=True, slots=True)
class ClockSpan:
    """What some stamps without a date say together: the first and the last time of day, and the midnights between."""

    first_s: int
    last_s: int
    midnights: int

    def then(self, later: "ClockSpan") -> "ClockSpan":
        """Return the span of these stamps and of those that follow."""
        between = int(_midnights(pl.Series([self.last_s, later.first_s])).sum())
        return ClockSpan(self.first_s, later.last_s, self.midnights + between + later.midnights)


def clock_span(stamps: pl.Series) -> ClockSpan | None:
    """Return the span of stamps of the family ``clock``; None where none is one."""
    seconds = _parts("clock", stamps.drop_nulls())["second_of_day"].drop_nulls()
    if not len(seconds):
        return None
    return ClockSpan(int(seconds[0]), int(seconds[-1]), int(_midnights(seconds).sum()))
