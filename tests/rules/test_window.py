"""Hits in a sliding window, against the definition: of all lines read by then, those whose second lies in it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.rules.window import HitWindow
from heeler.runs import Integers

Hit = tuple[int, int]
"""The second a line is stamped with, and the second where the event clock stands when it is read."""


def sums(window: HitWindow, batches: list[list[Hit]], end: int) -> dict[int, int]:
    """Run the hits through the window, closing after each batch, and return the sum from each second on."""
    found: dict[int, int] = {}
    clock = None
    for batch in batches:
        if batch:
            stamped, clocks = np.array(batch, np.int64).T
            window.add(stamped, clocks)
            clock = int(clocks[-1])
        if clock is not None:
            found |= noted(found, *window.until(clock))
    return found | noted(found, *window.until(end))


def noted(found: dict[int, int], seconds: Integers, hits: Integers) -> dict[int, int]:
    rising = seconds.tolist()
    assert rising == sorted(set(rising) - set(found)), "each second is closed once, in order"
    return dict(zip(rising, hits.tolist(), strict=True))


def at(found: dict[int, int], second: int) -> int:
    return next((found[known] for known in sorted(found, reverse=True) if known <= second), 0)


def by_definition(hits: list[Hit], window_s: int, second: int) -> int:
    """Of all lines read up to ``second``, those stamped in the ``window_s`` whole seconds that end with it."""
    return sum(clock <= second and second - window_s < stamped <= second for stamped, clock in hits)


@st.composite
def traffic(draw: st.DrawFn) -> list[Hit]:
    """Lines that mostly come in order, some late, with silences shorter and longer than a window."""
    clock, hits = draw(st.integers(-30, 30)), []
    for step, late in draw(st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 1, 2, 5, 25]), st.integers(-3, 14)))):
        clock += step
        hits.append((clock - max(late, 0), clock))
    return hits


@given(hits=traffic(), window_s=st.integers(1, 12), cuts=st.lists(st.integers(0, 50)))
def test_every_second_has_the_sum_of_the_definition_however_the_input_is_cut(
    hits: list[Hit], window_s: int, cuts: list[int]
) -> None:
    edges = [0, *sorted(min(cut, len(hits)) for cut in cuts), len(hits)]
    batches = [hits[begin:end] for begin, end in pairwise(edges)]
    first, last = (hits[0][1], hits[-1][1]) if hits else (0, 0)
    found = sums(HitWindow(window_s), batches, last + 2 * window_s)
    for second in range(first - 2, last + 2 * window_s):
        assert at(found, second) == by_definition(hits, window_s, second), second


@given(hits=traffic(), window_s=st.integers(1, 12))
def test_the_open_window_can_be_asked_at_any_time(hits: list[Hit], window_s: int) -> None:
    window = HitWindow(window_s)
    for number, (stamped, clock) in enumerate(hits):
        window.add(np.array([stamped]), np.array([clock]))
        window.until(clock)
        assert window.hits_at(clock) == by_definition(hits[: number + 1], window_s, clock)


@pytest.mark.parametrize(
    ("stamped", "clock", "in_window_during"),
    [
        pytest.param(100, 100, range(100, 110), id="in order: its own second and the nine after it"),
        pytest.param(95, 100, range(100, 105), id="late: from when it was read"),
        pytest.param(91, 100, range(100, 101), id="late: its second is about to leave"),
        pytest.param(90, 100, range(0), id="too late: its second has left"),
        pytest.param(-5_000_000_000, 100, range(0), id="from another age"),
        pytest.param(-62_135_596_800, -62_135_596_800, range(-62_135_596_800, -62_135_596_790), id="in the year 1"),
        pytest.param(253_402_300_799, 253_402_300_799, range(253_402_300_799, 253_402_300_809), id="in the year 9999"),
    ],
)
def test_when_one_line_is_in_a_window_of_ten_seconds(stamped: int, clock: int, in_window_during: range) -> None:
    found = sums(HitWindow(10), [[(stamped, clock)]], clock + 20)
    assert [second for second in range(clock - 5, clock + 15) if at(found, second)] == list(in_window_during)


def test_memory_depends_on_the_window_alone() -> None:
    window = HitWindow(120)
    rng = np.random.default_rng(1)
    for minute in range(200):
        clock = np.sort(rng.integers(minute * 60, minute * 60 + 60, 5000))
        window.add(clock - rng.integers(0, 200, 5000), clock)
        window.until(int(clock[-1]))
        assert len(window._seconds) <= 120 + 1


def test_nothing_read_is_no_hit() -> None:
    window = HitWindow(120)
    window.add(np.empty(0, np.int64), np.empty(0, np.int64))
    assert window.hits_at(5) == 0
    assert sums(window, [], 1000) == {}


def test_a_silence_of_centuries_costs_no_more_than_one_of_seconds() -> None:
    window = HitWindow(120)
    window.add(np.array([0, 253_402_300_799]), np.array([0, 253_402_300_799]))
    seconds, hits = window.until(253_402_300_800)
    assert (seconds.tolist(), hits.tolist()) == ([0, 120, 253_402_300_799], [1, 0, 1])
