"""When a condition fires and when it recovers: `evaluate`, which knows no clock and does no I/O."""

from dataclasses import dataclass
from fractions import Fraction

from heeler.rules.alert import Transition

Value = int | float | Fraction


@dataclass(frozen=True, slots=True)
class Limit:
    """What a value must cross, and for how long.

    ``above`` tells the side. It fires beyond ``limit`` after ``for_s`` seconds without a break there, and recovers on
    the other side of ``recover`` after ``keep_s`` seconds without a break there; exactly at either nothing changes.
    """

    limit: Fraction
    above: bool = True
    recover: Fraction | None = None
    for_s: int = 0
    keep_s: int = 0

    def breaks(self, value: Value | None) -> bool:
        """Tell whether a value is beyond the limit; None, where nothing can be said, is not."""
        return value is not None and (value > self.limit if self.above else value < self.limit)

    def clears(self, value: Value | None) -> bool:
        """Tell whether an alert could end with this value; None is no reason to go on."""
        limit = self.limit if self.recover is None else self.recover
        return value is None or (value < limit if self.above else value > limit)


@dataclass(frozen=True, slots=True)
class State:
    """Where an alert stands.

    ``since_s`` is the second since which the value has been on the side that changes the state, None where it is not;
    ``start_s`` is the second in which a firing alert was triggered.
    """

    firing: bool = False
    since_s: int | None = None
    start_s: int | None = None


QUIET = State()


def evaluate(now_s: int, value: Value | None, state: State, limit: Limit) -> tuple[State, Transition | None]:
    """Return the state after the second ``now_s`` with its ``value``, and the transition into it, if there is one.

    Called with rising seconds. Seconds between in which the value does not change can be left out, but for `due_s`.
    """
    turns = limit.clears(value) if state.firing else limit.breaks(value)
    if not turns:
        return (state if state.since_s is None else State(state.firing, None, state.start_s)), None
    since_s = now_s if state.since_s is None else state.since_s
    if now_s - since_s < (limit.keep_s if state.firing else limit.for_s):
        return State(state.firing, since_s, state.start_s), None
    return (QUIET, "recovered") if state.firing else (State(firing=True, start_s=now_s), "triggered")


def due_s(state: State, limit: Limit) -> int | None:
    """Return the second in which the state changes although the value does not; None where it would not."""
    if state.since_s is None:
        return None
    return state.since_s + (limit.keep_s if state.firing else limit.for_s)
