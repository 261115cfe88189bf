"""The zone of stamps that name none: said by people, as ``Europe/Berlin`` or ``+02:00``."""

import difflib
import re
import zoneinfo
from dataclasses import dataclass

import polars as pl

from heeler.errors import UsageError

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?")
_DAY_MS = 86_400_000
_US_OF_MINUTE = 60_000_000


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone with or without summer time. ``minutes`` is how far east of UTC it always is, None where that changes."""

    name: str
    minutes: int | None = None

    def minutes_east(self, local: pl.Series) -> pl.Series:
        """Return how far east of UTC clocks were at local times: Int16 minutes, from a Datetime without zone.

        An hour that came twice is the first of the two; one that was left out is read by the clock before it.
        """
        if self.minutes is not None:
            return pl.Series([self.minutes], dtype=pl.Int16).new_from_index(0, len(local))
        moment = pl.col("local").cast(pl.Datetime("us"))
        before = moment - pl.duration(milliseconds=_DAY_MS)
        frame = pl.DataFrame({"local": local})
        return frame.select(pl.coalesce(self._offset(moment), self._offset(before))).to_series().cast(pl.Int16)

    def _offset(self, local: pl.Expr) -> pl.Expr:
        aware = local.dt.replace_time_zone(self.name, ambiguous="earliest", non_existent="null")
        utc = aware.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return (local - utc).dt.total_microseconds() // _US_OF_MINUTE

    def local_us(self, utc_us: int) -> int:
        """Return what clocks show at a moment, as microseconds since they showed the beginning of 1970."""
        if self.minutes is not None:
            return utc_us + self.minutes * _US_OF_MINUTE
        moment = pl.Series([utc_us]).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(self.name)
        return int(moment.dt.replace_time_zone(None).to_physical()[0])


def zone_named(text: str) -> Zone:
    """Return the zone that somebody named. Raises `UsageError` for what is none."""
    if found := _OFFSET.fullmatch(text):
        hours, minutes = int(found[2]), int(found[3] or 0)
        if hours < 24 and minutes < 60:
            return Zone(text, (hours * 60 + minutes) * (-1 if found[1] == "-" else 1))
    if not _is_known(text):
        close = difflib.get_close_matches(text, zoneinfo.available_timezones(), n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UsageError(
            f"There is no zone {text!r}.{hint} Name one as Europe/Berlin, or say how far east of UTC it is, as +02:00."
        )
    return Zone(text)


def _is_known(name: str) -> bool:
    try:
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(name)
    except pl.exceptions.ComputeError:
        return False
    return name != ""
