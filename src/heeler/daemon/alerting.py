"""Rules while the process runs: they begin where the store ended, and what they find is committed with its lines."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, Final

from heeler.daemon.intake import Intake
from heeler.daemon.status import RuleStatus
from heeler.query import tree
from heeler.query.language import parse
from heeler.rules.engine import Changes, Engine
from heeler.rules.evaluation import Change
from heeler.rules.history import Stood, restored
from heeler.rules.partial import Partial
from heeler.rules.rule import OTHER, Rule
from heeler.store import AlertRow
from heeler.store.alerts import StoredAlert, last_transitions_us, newest_us, open_alerts
from heeler.store.reading import LakeReader
from heeler.units import SECOND_US

OWNER: Final = "the rules"


class Alerting:
    """Follows the rules of a process. Belongs to the event loop."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.engine = Engine(())
        self._complained: set[str] = set()

    async def begin(self, rules: Sequence[Rule]) -> None:
        """Follow these rules from here on: those that were followed go on, others begin where the store ended."""
        before = {one.rule: one for one in self.engine.evaluations}
        new = [rule for rule in rules if rule not in before]
        now_us, now = self._intake.clock.now_us(), self._intake.clock.monotonic()
        stood, gone = await self._intake.in_writer(self._stood, {rule.name for rule in rules}, now_us)
        began = await asyncio.to_thread(self._restored, new, stood, now)
        engine = Engine(rules)
        for number, rule in enumerate(engine.rules):
            if rule in before:
                engine.put(number, before[rule])
        for one in began.evaluations:
            engine.put(engine.rules.index(one.rule), one)
        self.engine = engine
        if gone:
            await self._intake.put(OWNER, (), [_ended(alert, now_us) for alert in gone])

    def led_to(self, partials: Mapping[int, Partial], engine: Engine) -> list[AlertRow]:
        """Count what a chunk adds to the windows of ``engine``'s rules, and return the transitions that follow.

        Where other rules are followed by now, those that both have count it.
        """
        if engine is not self.engine:
            numbers = {rule: number for number, rule in enumerate(self.engine.rules)}
            rules = {number: engine.rules[number] for number in partials}
            partials = {numbers[rule]: partials[number] for number, rule in rules.items() if rule in numbers}
        for name, failure in self.engine.partials.failed.items():
            if name not in self._complained:
                self._complained.add(name)
                self._intake.notice(f"The rule {name!r} cannot be evaluated, so it alerts nobody: {failure}")
        return rows_of(self.engine.feed(partials, self._intake.clock.monotonic()))

    def status(self) -> list[RuleStatus]:
        """Tell how each rule fares."""
        failed = self.engine.partials.failed
        return [
            RuleStatus(one.rule.name, one.open_keys, one.late, failed.get(one.rule.name, ""))
            for one in self.engine.evaluations
        ]

    async def run(self) -> None:
        """Let time pass for the rules, so that alerts recover when lines stop; until it is cancelled."""
        while True:
            await self._intake.clock.sleep(1)
            rows = rows_of(self.engine.advance(self._intake.clock.monotonic()))
            if rows:
                await self._intake.put(OWNER, (), rows)

    def _stood(self, names: set[str], now_us: int) -> tuple[Stood, list[StoredAlert]]:
        """Return where the store ended, and the open alerts of rules that are gone. Runs in the writer's thread."""
        catalog = self._intake.lake.catalog
        newest, received = newest_us(catalog) or (now_us, now_us)
        starts_s: dict[str, dict[str, int]] = {}
        gone = []
        for alert in open_alerts(catalog):
            if alert.rule in names:
                starts_s.setdefault(alert.rule, {})[alert.key] = alert.start_us // SECOND_US
            else:
                gone.append(alert)
        last_s = {rule: time_us // SECOND_US for rule, time_us in last_transitions_us(catalog).items()}
        return Stood(min(newest, received), received, starts_s, last_s), gone

    def _restored(self, rules: Sequence[Rule], stood: Stood, now: float) -> Engine:
        if not rules:
            return Engine(())
        with closing(LakeReader(self._intake.lake.folder)) as reader:
            return restored(rules, reader, stood, now)


def rows_of(changes: Changes) -> list[AlertRow]:
    """Return transitions as they are stored."""
    return [_row(rule, change) for rule, change in changes]


def found_by(rule: Rule, key: str) -> tree.Condition:
    """Return what finds the lines of an alert."""
    where = parse("parsed:true method:*").where if rule.requests_only else rule.where
    if not rule.by or not key or key == OTHER:
        return where
    if rule.by == "section":
        return tree.all_of([where, tree.Prefix("path", key)])
    return tree.all_of([where, tree.Equal(rule.by, key)])


def _row(rule: Rule, change: Change) -> AlertRow:
    details: dict[str, Any] = {
        "value": None if change.value is None else float(change.value),
        "limit": float(rule.limit.limit),
        "window_s": rule.window_s,
        "severity": rule.severity,
        "text": rule.text,
        "query": str(found_by(rule, change.key)),
        "notify": rule.notify,
    }
    return AlertRow(
        rule.name,
        change.state,
        change.hits,
        change.time_s * SECOND_US,
        change.zone_minutes,
        change.key,
        change.start_s * SECOND_US,
        json.dumps(details),
        rule.notify,
    )


def _ended(alert: StoredAlert, now_us: int) -> AlertRow:
    """Return how an alert ends whose rule is followed no more: who was told of it is told that too."""
    details = {**alert.details, "value": None, "text": "Its rule is followed no more."}
    time_us = max(now_us // SECOND_US * SECOND_US, alert.start_us)
    told = tuple(alert.details.get("notify", ()))
    return AlertRow(
        alert.rule, "recovered", 0, time_us, alert.zone_minutes, alert.key, alert.start_us, json.dumps(details), told
    )
