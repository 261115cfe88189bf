"""Sums over a sliding window of whole seconds, by event time, in memory that depends on the window alone."""

import heapq


class Series:
    """What lies in the ``window_s`` whole seconds that end with the second it stands at, by bucket.

    Like `heeler.rules.window.HitWindow`, for any sums: what is stamped ``t`` and read when the clock stands at
    ``n`` is in the windows of the seconds ``max(n, t)`` to ``t + window_s - 1``. So it is one step up and one down,
    and kept are the steps that lie ahead: at most one for each second of a window and of the lateness.
    """

    def __init__(self, window_s: int) -> None:
        self.window_s = window_s
        self.sums: dict[int, int] = {}
        self._steps: dict[int, dict[int, int]] = {}
        self._order: list[int] = []

    def add(self, stamped_s: int, from_s: int, bucket: int, weight: int) -> bool:
        """Count a weight from ``from_s`` on; return False where it would have left the window by then."""
        leaves_s = stamped_s + self.window_s
        if leaves_s <= from_s:
            return False
        self._step(max(stamped_s, from_s), bucket, weight)
        self._step(leaves_s, bucket, -weight)
        return True

    def _step(self, second: int, bucket: int, weight: int) -> None:
        steps = self._steps.get(second)
        if steps is None:
            steps = self._steps[second] = {}
            heapq.heappush(self._order, second)
        steps[bucket] = steps.get(bucket, 0) + weight

    def next_s(self) -> int | None:
        """Return the next second at which the sums change."""
        return self._order[0] if self._order else None

    def step(self) -> None:
        """Go on to the second that `next_s` named."""
        for bucket, weight in self._steps.pop(heapq.heappop(self._order)).items():
            total = self.sums.get(bucket, 0) + weight
            if total:
                self.sums[bucket] = total
            else:
                self.sums.pop(bucket, None)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in the window and nothing will be."""
        return not self.sums and not self._order
