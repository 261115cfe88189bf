"""The event clock: how far the times in the log have come, and what to do with a time that cannot be true."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heeler.units import SECOND_US

FURTHEST_AHEAD_US = 86_400 * SECOND_US
"""A line stamped further ahead of all others than this is believed only when the next line says the same."""

_NEVER = np.iinfo(np.int64).min


class EventClock:
    """The newest time that was seen, over all lines in the order in which they were read.

    It never goes back. Lines may be late: their own time lies before it. A stamp more than `FURTHEST_AHEAD_US` ahead
    is held until the next line with a time: where that one lies no more than as much before it, both count, the held
    one as if read just before; else the held one is dropped and counted in ``skewed``.
    """

    def __init__(self) -> None:
        self.zone_minutes = 0
        self.skewed = 0
        self._stamp_us: int | None = None  # the newest stamp of a line
        self._passed_us: int | None = None  # how far the clock was moved without one
        self._held: pl.DataFrame | None = None

    @property
    def newest_us(self) -> int | None:
        """Where the clock stands; None until it was started or read a time."""
        return max((time for time in (self._stamp_us, self._passed_us) if time is not None), default=None)

    def admit(self, records: pl.DataFrame) -> pl.DataFrame:
        """Return the records that count, in order, with the clock at each: the column ``newest`` (Int64, UTC µs).

        Read are ``time`` (Datetime µs, null for a line that did not parse) and ``zone``. ``newest`` is null as long
        as no line had a time; ``newest_zone`` is the zone of the line that the clock stands at. The result does not
        depend on how the records are cut into calls, except that a held line comes with a later call.
        """
        if self._held is not None:
            # Lines without a time say nothing of a held one; they pass it by.
            first = int(records["time"].is_not_null().arg_max() or 0) if records.height else 0
            if not records.height or records["time"].is_null().all():
                return self._stamped(records)
            records = pl.concat([records[:first], self._held, records[first:]])
            self._held = None
        known = records["time"].is_not_null().to_numpy()
        stamps = records["time"].to_physical().fill_null(_NEVER).to_numpy()
        if known.any():
            begin = self.newest_us if self.newest_us is not None else int(stamps[known.argmax()])
            before = np.maximum.accumulate(np.concatenate(([begin], stamps[:-1])))
            # Written as a sum: a difference with the stamp of a line without time would overflow.
            if (known & (stamps > before + FURTHEST_AHEAD_US)).any():
                records = self._without_skewed(records, stamps, known, begin)
        return self._stamped(records)

    def advance(self, to_us: int) -> None:
        """Move the clock on although no line says so: live, time passes also while nothing is logged."""
        if self.newest_us is not None:
            self._passed_us = max(self.newest_us, to_us)

    def start(self, at_us: int, zone_minutes: int) -> None:
        """Set the clock before the first line, for watching a log that is still silent."""
        if self.newest_us is None:
            self._passed_us, self.zone_minutes = at_us, zone_minutes

    def finish(self) -> None:
        """Say that no line will follow: what is held was never confirmed."""
        self.skewed += self._held is not None
        self._held = None

    def _without_skewed(
        self, records: pl.DataFrame, stamps: NDArray[np.int64], known: NDArray[np.bool_], newest: int
    ) -> pl.DataFrame:
        """Go through the lines one by one; this happens only where one lies far ahead."""
        order: list[int] = []
        held: int | None = None
        for row, (stamp, has_time) in enumerate(zip(stamps.tolist(), known.tolist(), strict=True)):
            if has_time:
                if held is not None:
                    if stamp >= stamps[held] - FURTHEST_AHEAD_US:
                        order.append(held)
                        newest = int(stamps[held])
                    else:
                        self.skewed += 1
                    held = None
                if stamp > newest + FURTHEST_AHEAD_US:
                    held = row
                    continue
                newest = max(newest, stamp)
            order.append(row)
        if held is not None:
            self._held = records[held : held + 1]
        return records[order]

    def _stamped(self, records: pl.DataFrame) -> pl.DataFrame:
        before = _NEVER if self._stamp_us is None else self._stamp_us
        stamps = records["time"].to_physical().fill_null(_NEVER).to_numpy()
        newest = np.maximum(np.maximum.accumulate(stamps), before)
        zone = np.full(len(newest), self.zone_minutes, np.int16)
        zones = records["zone"].fill_null(0).to_numpy()
        if len(zones) and (zones.min() != self.zone_minutes or zones.max() != self.zone_minutes):
            moved = np.where((stamps == newest) & (stamps != _NEVER), np.arange(len(newest)), -1)
            last = np.maximum.accumulate(moved)  # the newest of the lines so far
            zone = np.where(last >= 0, zones[last], zone)
        if len(newest) and newest[-1] != _NEVER:
            self._stamp_us, self.zone_minutes = int(newest[-1]), int(zone[-1])
        if self._passed_us is not None:  # time went on without a line, in the zone of the newest one
            newest = np.maximum(newest, self._passed_us)
        clock = pl.Series("newest", newest)
        if len(newest) and newest[0] == _NEVER:
            clock = clock.replace(_NEVER, None)
        return records.hstack([clock, pl.Series("newest_zone", zone)])
