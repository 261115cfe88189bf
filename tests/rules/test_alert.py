"""The alert on high traffic, in virtual time: when it fires, when it recovers, and when nothing happens."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.rules.alert import HighTraffic, Transition
from heeler.rules.window import HitWindow

Told = tuple[int, int, Transition]


def told(rule: HighTraffic, hits_by_second: dict[int, int], end: int) -> list[Told]:
    """Run traffic through window and rule; every second is closed on its own, as live."""
    window = HitWindow(rule.window_s)
    firing, found = False, list[Told]()
    for second in range(min(hits_by_second), end + 1):
        stamps = np.full(hits_by_second.get(second, 0), second, np.int64)
        window.add(stamps, stamps)
        for transition in rule.transitions(*window.until(second + 1), firing=firing):
            found.append(transition)
            firing = transition[2] == "triggered"
    return found


def by_definition(rule: HighTraffic, hits_by_second: dict[int, int], end: int) -> list[Told]:
    """Evaluate every second with exact fractions."""
    firing, found = False, list[Told]()
    for second in range(min(hits_by_second), end + 1):
        hits = sum(count for at, count in hits_by_second.items() if second - rule.window_s < at <= second)
        average = Fraction(hits, rule.window_s)
        if not firing and average > rule.threshold:
            firing = True
            found.append((second, hits, "triggered"))
        elif firing and average < rule.threshold:
            firing = False
            found.append((second, hits, "recovered"))
    return found


def steady(rate: int, begin: int, end: int) -> dict[int, int]:
    return dict.fromkeys(range(begin, end), rate)


@pytest.mark.parametrize(
    ("threshold", "window_s", "traffic", "expected"),
    [
        pytest.param("10", 120, steady(10, 0, 500), [], id="exactly at the threshold nothing happens"),
        pytest.param("10", 120, {0: 1200}, [], id="exactly at the threshold in a single second"),
        pytest.param(
            "10",
            120,
            {0: 1201},
            [(0, 1201, "triggered"), (120, 0, "recovered")],
            id="one hit more triggers, and it recovers when that second leaves the window",
        ),
        pytest.param(
            "10",
            120,
            steady(10, 0, 300) | {200: 11},
            [(200, 1201, "triggered"), (300, 1191, "recovered")],
            id="one hit above, then silence: a second without lines counts zero",
        ),
        pytest.param(
            "10",
            120,
            steady(10, 0, 400) | {200: 11},
            [(200, 1201, "triggered"), (400, 1190, "recovered")],
            id="back at the threshold it stays on; only below it recovers",
        ),
        pytest.param(
            "10",
            120,
            steady(30, 0, 120),
            [(40, 1230, "triggered"), (200, 1170, "recovered")],
            id="recovers during a silence, at the second where the average falls below",
        ),
        pytest.param(
            "1/10",
            10,
            {0: 1, 5: 1, 30: 1},
            [(5, 2, "triggered"), (15, 0, "recovered")],
            id="a threshold of 0.1 is exactly one hit in ten seconds",
        ),
        pytest.param("3/10", 10, {0: 3}, [], id="three tenths, where 0.1 * 3 is not 0.3"),
        pytest.param("0", 10, {0: 1}, [(0, 1, "triggered")], id="above zero triggers; below zero nothing ever is"),
        pytest.param(
            "1",
            1,
            {0: 2, 1: 2, 2: 1, 3: 0, 4: 2},
            [(0, 2, "triggered"), (3, 0, "recovered"), (4, 2, "triggered"), (5, 0, "recovered")],
            id="a window of one second",
        ),
        pytest.param(
            "10",
            2,
            {0: 21, 1: 0, 2: 21},
            [(0, 21, "triggered"), (4, 0, "recovered")],
            id="still above in the second between",
        ),
    ],
)
def test_transitions_in_virtual_time(
    threshold: str, window_s: int, traffic: dict[int, int], expected: list[Told]
) -> None:
    rule = HighTraffic(Fraction(threshold), window_s)
    assert told(rule, traffic, 700) == expected
    assert by_definition(rule, traffic, 700) == expected


@given(
    traffic=st.dictionaries(st.integers(0, 60), st.integers(0, 6), min_size=1),
    threshold=st.fractions(0, 4, max_denominator=10),
    window_s=st.integers(1, 20),
)
def test_any_traffic_tells_what_the_definition_says(
    traffic: dict[int, int], threshold: Fraction, window_s: int
) -> None:
    rule = HighTraffic(threshold, window_s)
    assert told(rule, traffic, 90) == by_definition(rule, traffic, 90)


@given(
    hits=st.lists(st.integers(0, 30), max_size=40),
    threshold=st.fractions(0, 4, max_denominator=10),
    firing=st.booleans(),
)
def test_transitions_are_evaluate_for_each_second(hits: list[int], threshold: Fraction, firing: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
    rule = HighTraffic(threshold, 7)
    expected, state = list[Told](), firing
    for second, count in enumerate(hits):
        state, transition = rule.evaluate(count, firing=state)
        if transition:
            expected.append((second, count, transition))
    seconds = np.arange(len(hits))
    assert list(rule.transitions(seconds, np.array(hits, np.int64), firing=firing)) == expected


@pytest.mark.parametrize(
    ("hits", "firing", "expected"),
    [
        (1200, False, (False, None)),
        (1201, False, (True, "triggered")),
        (1201, True, (True, None)),
        (1200, True, (True, None)),
        (1199, True, (False, "recovered")),
        (1199, False, (False, None)),
    ],
)
def test_one_second_of_the_state_machine(
    hits: int,
    firing: bool,  # noqa: FBT001 - a column of the table above
    expected: tuple[bool, Transition | None],
) -> None:
    assert HighTraffic(Fraction(10), 120).evaluate(hits, firing=firing) == expected
