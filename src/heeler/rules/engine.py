"""All rules of a process: which of them lines concern, and what follows."""

from collections.abc import Iterator, Mapping, Sequence

from heeler.rules.evaluation import Change, Evaluation
from heeler.rules.partial import Partial, Partials
from heeler.rules.rule import Rule

Changes = list[tuple[Rule, Change]]


class Engine:
    """Follows some rules. What touches `partials` may run in any thread; all else belongs to one."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.partials = Partials(self.rules)
        self.evaluations = [Evaluation(rule) for rule in self.rules]

    def put(self, number: int, evaluation: Evaluation) -> None:
        """Go on with an evaluation of a rule that stands where another engine brought it."""
        self.evaluations[number] = evaluation

    def feed(self, partials: Mapping[int, Partial], now: float | None = None) -> Changes:
        """Count what a chunk adds, and return the changes that follow.

        ``now`` is in monotonic seconds; without it the lines were received then, as stored ones were.
        """
        return [
            (self.rules[number], change)
            for number, partial in partials.items()
            for change in self.evaluations[number].feed(partial, partial.received_s if now is None else now)
        ]

    def advance(self, now: float) -> Changes:
        """Let time pass up to ``now`` (monotonic seconds), and return the changes that follow from that alone."""
        return [(one.rule, change) for one in self.evaluations for change in one.advance(now)]

    def open(self) -> Iterator[tuple[Rule, str]]:
        """Yield each rule and group whose alert fires."""
        for one in self.evaluations:
            yield from ((one.rule, key) for key in one.open_keys)
