"""The built-in alert, evaluated over what is ingested by the time that stands in the lines."""

from fractions import Fraction

import numpy as np
import polars as pl

from heeler.rules.alert import HighTraffic
from heeler.rules.event_time import EventClock
from heeler.rules.window import HitWindow
from heeler.runs import Integers
from heeler.store import AlertRow
from heeler.units import SECOND_US

RULE = HighTraffic(Fraction(10), 120)
"""The rule that `heeler watch` has by default."""

COLUMNS = ("time", "zone")
"""What is read of the records that parsed."""

_NO_LINES = np.empty(0, np.int64), np.empty(0, np.int16)


class TrafficAlert:
    """Follows the lines of one group, in the order in which they are read.

    What it finds does not depend on how the records were cut into calls of `feed`.
    """

    def __init__(self, rule: HighTraffic = RULE) -> None:
        self._rule = rule
        self._begin()

    def _begin(self) -> None:
        self._clock = EventClock()
        self._window = HitWindow(self._rule.window_s)
        self._firing = False
        self._zone_before = 0

    def begin_file(self, records: pl.DataFrame) -> list[AlertRow]:
        """Say that a file begins with these records; they are not counted yet.

        A file that begins before the one before it ended is no continuation of it, as when `access.log.1` is named
        behind `access.log`: it is looked at by itself. Returns what follows from the end of the one before.
        """
        first_us = records["time"].drop_nulls().to_physical().head(1).to_list()
        newest_us = self._clock.newest_us
        if not first_us or newest_us is None or first_us[0] >= newest_us - self._rule.window_s * SECOND_US:
            return []
        rows = self.finish()
        self._begin()
        return rows

    def feed(self, records: pl.DataFrame) -> list[AlertRow]:
        """Count records (with `COLUMNS`) and return the transitions that they lead to."""
        admitted = self._clock.admit(records)
        has_time = admitted["time"].is_not_null().to_numpy()
        stamps = (admitted["time"].to_physical().fill_null(0).to_numpy() // SECOND_US)[has_time]
        clocks = (admitted["newest"].fill_null(0).to_numpy() // SECOND_US)[has_time]
        self._window.add(stamps, clocks)
        return self._transitions(self._second(), clocks, admitted["newest_zone"].to_numpy()[has_time])

    def finish(self) -> list[AlertRow]:
        """Return what follows from there being no more lines: the last second is closed."""
        self._clock.finish()
        return [] if self._clock.newest_us is None else self._transitions(self._second() + 1, *_NO_LINES)

    def _second(self) -> int:
        return (self._clock.newest_us or 0) // SECOND_US

    def _transitions(
        self, until_s: int, clocks: Integers, zones: "np.ndarray[tuple[int], np.dtype[np.int16]]"
    ) -> list[AlertRow]:
        seconds, sums = self._window.until(until_s)
        rows = []
        for second, hits, state in self._rule.transitions(seconds, sums, firing=self._firing):
            at = int(np.searchsorted(clocks, second, "right")) - 1
            zone = int(zones[at]) if at >= 0 else self._zone_before
            rows.append(AlertRow(self._rule.name, state, hits, second * SECOND_US, zone))
            self._firing = state == "triggered"
        self._zone_before = self._clock.zone_minutes
        return rows
