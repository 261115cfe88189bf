"""When a condition fires and recovers: exact limits, how long it must hold, and the gap between the two."""

from fractions import Fraction

import pytest

from heeler.rules.limit import QUIET, Limit, State, Value, due_s, evaluate


def states(values: list[Value | None], limit: Limit) -> str:
    """Return for each second T where it triggers, R where it recovers, # while it fires, and . else."""
    state, told = QUIET, ""
    for second, value in enumerate(values):
        state, transition = evaluate(second, value, state, limit)
        told += {"triggered": "T", "recovered": "R", None: "#" if state.firing else "."}[transition]
    return told


@pytest.mark.parametrize(
    ("values", "limit", "expected"),
    [
        ([9, 10, 11, 10, 9, 10, 11], Limit(Fraction(10)), "..T#R.T"),
        ([2, 1, 0, 1, 2], Limit(Fraction(1), above=False), "..T#R"),
        ([11, 9, 8, 7, 11], Limit(Fraction(10), recover=Fraction(8)), "T##RT"),
        ([11, 11, 9, 11, 11, 11, 11], Limit(Fraction(10), for_s=2), ".....T#"),
        ([11, 9, 9, 11, 9, 9, 9], Limit(Fraction(10), keep_s=2), "T#####R"),
        ([11, None, 11], Limit(Fraction(10)), "TRT"),
        ([None, None], Limit(Fraction(1), above=False), ".."),
        ([Fraction(1, 10)], Limit(Fraction("0.1")), "."),
    ],
)
def test_it_fires_beyond_the_limit_and_recovers_on_the_other_side(
    values: list[Value | None], limit: Limit, expected: str
) -> None:
    assert states(values, limit) == expected


def test_what_is_due_without_a_change_of_the_value_is_told() -> None:
    limit = Limit(Fraction(10), for_s=30, keep_s=60)
    assert due_s(QUIET, limit) is None
    assert due_s(State(since_s=100), limit) == 130
    assert due_s(State(firing=True, since_s=100, start_s=50), limit) == 160


def test_an_alert_remembers_when_it_was_triggered() -> None:
    state, _ = evaluate(7, 11, QUIET, Limit(Fraction(10)))
    assert state == State(firing=True, start_s=7)
