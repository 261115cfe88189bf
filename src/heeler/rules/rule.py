"""A rule: what it looks for, what it computes of that, and when that is an alert."""

from dataclasses import dataclass, field
from fractions import Fraction

from heeler.query.tree import ALL, Condition
from heeler.rules.aggregate import Aggregate
from heeler.rules.limit import Limit

MOST_KEYS = 1_000
"""Groups of one rule that are told apart; the lines of all others count as those of `OTHER`."""

OTHER = "(other)"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``of`` is what the lines of a ratio are a share of.

    ``requests_only`` limits it to parsed access records that have a time of their own, as the built-in rule is.
    """

    name: str
    limit: Limit
    window_s: int
    where: Condition = ALL
    aggregate: Aggregate = field(default_factory=lambda: Aggregate("rate"))
    of: Condition | None = None
    by: str = ""
    lateness_s: int = 0
    severity: str = "warning"
    text: str = ""
    notify: tuple[str, ...] = ()
    requests_only: bool = False

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What it looks for: the lines that count, and those that they are a share of."""
        return (self.where,) if self.of is None else (self.where, self.of)


HIGH_TRAFFIC = "high traffic"


def high_traffic(threshold: Fraction, window_s: int, notify: tuple[str, ...] = ()) -> Rule:
    """Return the built-in rule: requests a second, averaged over the window, above the threshold."""
    return Rule(HIGH_TRAFFIC, Limit(threshold), window_s, notify=notify, requests_only=True)
