"""Hits in a sliding window of whole seconds, by event time, in memory that depends on the window alone."""

import numpy as np

from heeler.runs import Integers, runs_of


class HitWindow:
    """How many hits lie in the ``window_s`` whole seconds that end with second ``s``, for every ``s``.

    A line stamped ``t`` that is read when the clock stands at ``n >= t`` is in the windows of the seconds ``n`` to
    ``t + window_s - 1``: before ``n`` it had not been read, afterwards its second has left. So each line is one step
    up and one step down, late lines are no special case, the sum changes only at those steps, and a silence of years
    costs what one of two seconds does. Kept are the steps at and after the clock: at most one per second of a window.
    """

    def __init__(self, window_s: int) -> None:
        self.window_s = window_s
        self._hits = 0
        self._seconds: Integers = np.empty(0, np.int64)
        self._steps: Integers = np.empty(0, np.int64)

    def add(self, stamped_s: Integers, clock_s: Integers) -> None:
        """Count lines stamped ``stamped_s``, read when the clock stood at ``clock_s`` (the same shape, rising)."""
        # Sorting each line by itself took most of the time.
        heads, lines = runs_of(stamped_s, clock_s)
        stamped_s, clock_s = stamped_s[heads], clock_s[heads]
        leaves_s = stamped_s + self.window_s
        counts = leaves_s > clock_s
        seconds = np.concatenate((self._seconds, clock_s[counts], leaves_s[counts]))
        steps = np.concatenate((self._steps, lines[counts], -lines[counts]))
        self._seconds, where = np.unique(seconds, return_inverse=True)
        self._steps = np.bincount(where, steps, len(self._seconds)).astype(np.int64)

    def until(self, clock_s: int) -> tuple[Integers, Integers]:
        """Close the seconds before ``clock_s``: return those at which the sum changed, and the sum from there on.

        The sum at any closed second is that of the last returned second at or before it.
        """
        closed = int(np.searchsorted(self._seconds, clock_s))
        seconds, sums = self._seconds[:closed], self._hits + np.cumsum(self._steps[:closed])
        self._seconds, self._steps = self._seconds[closed:], self._steps[closed:]
        if closed:
            self._hits = int(sums[-1])
        return seconds, sums

    def hits_at(self, second: int) -> int:
        """Return the hits so far in the window that ends with ``second``, which is not closed yet."""
        return self._hits + int(self._steps[self._seconds <= second].sum())
