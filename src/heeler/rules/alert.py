"""When an alert fires and when it recovers: a pure state machine, and a fast way through many seconds of it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from heeler.runs import Integers

Transition = Literal["triggered", "recovered"]


@dataclass(frozen=True, slots=True)
class HighTraffic:
    """The built-in rule: hits a second, averaged over a window, above a threshold.

    Fires above the threshold and recovers below it; exactly at it nothing changes. The threshold is a fraction, so
    that "exactly" is exact for 0.1 as well.
    """

    threshold: Fraction
    window_s: int
    name: str = "high traffic"

    def evaluate(self, hits: int, *, firing: bool) -> tuple[bool, Transition | None]:
        """Return the state after a second whose window holds ``hits``, and the transition into it, if there is one."""
        if not firing and hits > self._limit:
            return True, "triggered"
        if firing and hits < self._limit:
            return False, "recovered"
        return firing, None

    def transitions(self, seconds: Integers, hits: Integers, *, firing: bool) -> Iterator[tuple[int, int, Transition]]:
        """Yield ``(second, hits, transition)`` for a rising row of seconds, beginning in the state ``firing``.

        The same as calling `evaluate` for each, without looking at the seconds that change nothing.
        """
        above = np.flatnonzero(hits > math.floor(self._limit))
        below = np.flatnonzero(hits < math.ceil(self._limit))
        at = 0
        while True:
            candidates = below if firing else above
            next_one = int(np.searchsorted(candidates, at))
            if next_one == len(candidates):
                return
            at = int(candidates[next_one])
            firing, transition = self.evaluate(int(hits[at]), firing=firing)
            if transition is None:
                raise AssertionError("A second was picked that changes nothing.")
            yield int(seconds[at]), int(hits[at]), transition

    @property
    def _limit(self) -> Fraction:
        return self.threshold * self.window_s
