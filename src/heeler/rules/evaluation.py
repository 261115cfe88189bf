"""One rule over the lines that come: its clock, its windows by group, and where the alert of each stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from heeler.rules.aggregate import MATCHING
from heeler.rules.alert import Transition
from heeler.rules.limit import QUIET, State, Value, due_s, evaluate
from heeler.rules.partial import Partial
from heeler.rules.rule import MOST_KEYS, OTHER, Rule
from heeler.rules.series import Series


@dataclass(frozen=True, slots=True)
class Change:
    """One transition: of which group, in which second, and the second in which that alert was triggered."""

    key: str
    state: Transition
    time_s: int
    start_s: int
    hits: int
    value: Value | None
    zone_minutes: int


@dataclass(slots=True)
class _Group:
    series: Series
    at_s: int  # the first second that is not evaluated
    warm_s: int  # the first second that can be
    state: State = QUIET
    value: Value | None = field(default=None)


class Evaluation:
    """Follows one rule. Not before its clock has passed a second, and the allowed lateness, is the second evaluated.

    The clock is that of the log: it stands at the newest time of a matching line, and runs on with the clock of the
    machine from there, so that an alert recovers when lines stop. What comes out does not depend on how lines were cut
    into partials. Memory depends on the window, the lateness and `MOST_KEYS`.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.late = 0
        """Lines that came so late that no window that is still open holds them."""
        self._groups: dict[str, _Group] = {}
        self._stamp_s: int | None = None
        self._read_at = 0.0
        self._zone_minutes = 0

    @property
    def open_keys(self) -> list[str]:
        """The groups whose alert fires."""
        return [key for key, group in self._groups.items() if group.state.firing]

    @property
    def at_s(self) -> int | None:
        """The second that is evaluated next; None as long as there is no time."""
        return None if self._stamp_s is None else self._stamp_s - self.rule.lateness_s

    def start(self, at_s: int, now: float) -> None:
        """Set the clock before the first line, for lines that may never come; later only how it runs on from ``now``.

        ``now`` is in monotonic seconds.
        """
        if self._stamp_s is None:
            self._stamp_s = at_s
        self._read_at = now
        if not self.rule.by and not self._groups:
            self._group("")

    def feed(self, partial: Partial, now: float) -> list[Change]:
        """Count lines and return the changes that they lead to. ``now`` is in monotonic seconds."""
        if not partial.rows:
            return []
        if self._stamp_s is None:
            self._stamp_s = partial.rows[0].clock_s
        begin_s = self._stamp_s
        for row in partial.rows:
            clock_s = max(row.clock_s, begin_s)
            group = self._group(row.key, row.stamped_s)
            from_s = max(clock_s - self.rule.lateness_s, row.stamped_s)
            if row.weight:
                group.series.add(row.stamped_s, from_s, row.bucket, row.weight)
            if row.hits and not group.series.add(row.stamped_s, from_s, MATCHING, row.hits):
                self.late += row.hits
            self._stamp_s = max(self._stamp_s, clock_s)
        self._read_at, self._zone_minutes = now, partial.zone_minutes
        return list(self._close(self._stamp_s - self.rule.lateness_s))

    def advance(self, now: float) -> list[Change]:
        """Let time pass without a line: return the changes that follow from that alone."""
        if self._stamp_s is None or now - self._read_at < 1:
            return []
        passed_s = int(now - self._read_at)
        self._stamp_s += passed_s
        self._read_at += passed_s
        return list(self._close(self._stamp_s - self.rule.lateness_s))

    def advance_to(self, second: int) -> list[Change]:
        """Let time pass until a second of the log has been evaluated."""
        if self._stamp_s is None:
            return []
        self._stamp_s = max(self._stamp_s, second + 1 + self.rule.lateness_s)
        return list(self._close(self._stamp_s - self.rule.lateness_s))

    def restore(self, starts_s: Mapping[str, int]) -> None:
        """Set which alerts are open, and since when, whatever the lines alone would say."""
        for key in starts_s:
            self._group(key)
        for key, group in self._groups.items():
            if key in starts_s:
                since_s = group.state.since_s if group.state.firing else None
                group.state = State(firing=True, since_s=since_s, start_s=starts_s[key])
            elif group.state.firing:
                group.state = State(since_s=group.state.start_s)

    def _group(self, key: str, stamped_s: int | None = None) -> _Group:
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MOST_KEYS and key != OTHER:
                return self._group(OTHER, stamped_s)
            at_s = self.at_s or 0
            first_s = at_s if stamped_s is None else min(at_s, stamped_s)
            # An empty window says nothing before there could have been lines in it.
            warm_s = at_s if self.rule.limit.above else first_s + self.rule.window_s - 1
            group = self._groups[key] = _Group(Series(self.rule.window_s), at_s, warm_s)
        return group

    def _close(self, until_s: int) -> Iterator[Change]:
        gone = []
        for key, group in self._groups.items():
            while (next_s := group.series.next_s()) is not None and next_s < until_s:
                yield from self._run(key, group, next_s)
                group.series.step()
                group.value = self.rule.aggregate.value(group.series.sums, self.rule.window_s)
            yield from self._run(key, group, until_s)
            if self.rule.by and group.series.is_empty and group.state == QUIET and self.rule.limit.above:
                gone.append(key)
        for key in gone:
            del self._groups[key]

    def _run(self, key: str, group: _Group, until_s: int) -> Iterator[Change]:
        """Evaluate the seconds before ``until_s``, over which nothing comes or goes, at those that can change it."""
        if group.value is None:
            group.value = self.rule.aggregate.value(group.series.sums, self.rule.window_s)
        second = max(group.at_s, group.warm_s)
        while second < until_s:
            before = group.state
            group.state, transition = evaluate(second, group.value, before, self.rule.limit)
            if transition is not None:
                start_s = second if transition == "triggered" else before.start_s
                yield self._change(key, group, transition, second, second if start_s is None else start_s)
            due = due_s(group.state, self.rule.limit)
            second = max(due, second + 1) if due is not None else second + 1 if transition else until_s
        group.at_s = max(group.at_s, until_s)

    def _change(self, key: str, group: _Group, state: Transition, time_s: int, start_s: int) -> Change:
        hits = group.series.sums.get(MATCHING, 0)
        return Change(key, state, time_s, start_s, hits, group.value, self._zone_minutes)
