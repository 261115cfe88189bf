"""The read model of `heeler watch`: parsed records in, blocks and alerts out. It asks no clock and does no I/O."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from heeler.rules.alert import HighTraffic
from heeler.rules.event_time import EventClock
from heeler.rules.window import HitWindow
from heeler.runs import Integers
from heeler.units import SECOND_US
from heeler.views.snapshot import AlertLine, Block
from heeler.views.traffic import Traffic

RECENT_SECONDS = 600
"""How many seconds of hits are kept for the chart of the last minutes."""

OWN_CLOCK_US = 2 * SECOND_US
"""How far the first line of a silent log may lie behind this machine's clock to be written by the same clock. Whole
seconds and writing take up to so long; more would for ever be missing from the window of the alert."""

Said = Block | AlertLine

_NO_LINES = np.empty(0, np.int64), np.empty(0, np.int64)


class Watching:
    """Follows one or more access logs by event time.

    Every method that may say something returns it in order: an alert of second ``s`` comes before the block that ends
    after ``s``. What is said does not depend on how the records were cut into calls of `feed`.
    """

    def __init__(self, rule: HighTraffic, interval_s: int) -> None:
        self.rule = rule
        self.interval_s = interval_s
        self.parsed = 0
        self.unparsed = 0
        self.firing: AlertLine | None = None
        self._guessed = False  # the clock was begun before the first line
        self._zone_before = 0  # the zone before what is being fed
        self._restart()

    def _restart(self) -> None:
        self.clock = EventClock()
        self.window = HitWindow(self.rule.window_s)
        self.traffic = Traffic(self.interval_s, longest_silence_s=self.rule.window_s)
        self.recent: dict[int, int] = {}

    def begin(self, now_us: int, zone_minutes: int) -> None:
        """Let event time start at ``now_us`` although there is no line yet, for a live log that is silent."""
        if self.clock.newest_us is None:
            self._guessed = True
            self.clock.start(now_us, zone_minutes)
            self.traffic.start(now_us // SECOND_US, zone_minutes)

    def feed(self, records: pl.DataFrame) -> list[Said]:
        """Take in records (with `heeler.views.traffic.COLUMNS`) and return what they lead to."""
        if self._guessed and records["parsed"].any():
            self._guessed = False
            first_us = int(records["time"].drop_nulls().to_physical()[0])
            ahead_us = first_us - (self.clock.newest_us or 0)
            # The log's clock is another one than ours, or these are old lines: its own time counts.
            if not -OWN_CLOCK_US <= ahead_us <= self.rule.window_s * SECOND_US:
                self._restart()
        admitted = self.clock.admit(records)
        parsed = int(admitted["parsed"].sum())
        self.parsed += parsed
        self.unparsed += admitted.height - parsed
        has_time = admitted["time"].is_not_null().to_numpy()
        stamps = (admitted["time"].to_physical().fill_null(0).to_numpy() // SECOND_US)[has_time]
        clocks = (admitted["newest"].fill_null(0).to_numpy() // SECOND_US)[has_time]
        self.window.add(stamps, clocks)
        self._remember(stamps)
        alerts = self._alerts(self._second(), clocks, admitted["newest_zone"].to_numpy()[has_time])
        return _in_order(alerts, self.traffic.count(admitted))

    def advance(self, to_us: int) -> list[Said]:
        """Return what follows from time passing without a line, up to ``to_us`` of event time."""
        if self.clock.newest_us is None or to_us <= self.clock.newest_us:
            return []
        self.clock.advance(to_us)
        return _in_order(self._alerts(self._second(), *_NO_LINES), self.traffic.advance(self._second()))

    def finish(self) -> list[Said]:
        """Return what follows from there being no more lines: the last second and the last block are closed."""
        self.clock.finish()
        if self.clock.newest_us is None:
            return []
        alerts = self._alerts(self._second() + 1, *_NO_LINES)
        last = self.traffic.current()
        return [*alerts, *([last] if last else [])]

    def hits_in_window(self) -> int:
        """Return the hits in the window that ends with the newest second."""
        return self.window.hits_at(self._second()) if self.clock.newest_us is not None else 0

    def second_hits(self, seconds: int) -> tuple[int, ...]:
        """Return the hits of the last whole seconds, oldest first."""
        now = self._second()
        return tuple(self.recent.get(second, 0) for second in range(now - seconds, now))

    def _second(self) -> int:
        return (self.clock.newest_us or 0) // SECOND_US

    def _alerts(self, until_s: int, clocks: Integers, zones: Integers) -> list[AlertLine]:
        """Close the seconds before ``until_s`` and return the transitions among them, in the zone of their lines."""
        seconds, sums = self.window.until(until_s)
        said = []
        for second, hits, state in self.rule.transitions(seconds, sums, firing=self.firing is not None):
            at = int(np.searchsorted(clocks, second, "right")) - 1
            zone = int(zones[at]) if at >= 0 else self._zone_before
            line = AlertLine(self.rule.name, state, hits, second, zone)
            self.firing = line if state == "triggered" else None
            said.append(line)
        self._zone_before = self.clock.zone_minutes
        return said

    def _remember(self, stamps: Integers) -> None:
        oldest = self._second() - RECENT_SECONDS
        seconds, counts = np.unique(stamps[stamps >= oldest], return_counts=True)
        for second, count in zip(seconds.tolist(), counts.tolist(), strict=True):
            self.recent[second] = self.recent.get(second, 0) + count
        if len(self.recent) > 2 * RECENT_SECONDS:
            self.recent = {second: count for second, count in self.recent.items() if second >= oldest}


def _in_order(alerts: list[AlertLine], blocks: Iterator[Block]) -> list[Said]:
    said: list[Said] = [*alerts, *blocks]
    return sorted(said, key=lambda one: one.time_s + 1 if isinstance(one, AlertLine) else one.end_s)
