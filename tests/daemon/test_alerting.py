"""Rules in the process that collects: alerts are in the tick of their lines, and outlive the process."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from batches import RECEIVED_US, batch
from turning import until

from heeler.clock import FakeClock
from heeler.daemon.alerting import Alerting
from heeler.daemon.intake import Intake
from heeler.formats.choose import PLAIN
from heeler.formats.lines import split
from heeler.formats.text import text_of
from heeler.query.language import parse
from heeler.rules.aggregate import aggregate
from heeler.rules.limit import Limit
from heeler.rules.partial import Seen
from heeler.rules.rule import Rule
from heeler.store.alerts import alert_history, open_alerts
from heeler.store.lake import Lake

Scenario = Callable[[Intake, Alerting, FakeClock], Awaitable[None]]
ERRORS = Rule("errors", Limit(Fraction(1)), 60, parse("error").where, aggregate("count"), notify=("ops",))


def run(folder: Path, rules: Sequence[Rule], scenario: Scenario, now_s: int = 0) -> list[tuple[str, str, int, int]]:
    """Run a scenario beside rules that are followed, and return the transitions in the lake."""

    async def main() -> list[tuple[str, str, int, int]]:
        clock = FakeClock(RECEIVED_US + now_s * 1_000_000)
        with closing(Lake(folder)) as lake:
            lake.register(PLAIN)
            async with Intake(lake, clock, lambda _: None).open() as intake:
                alerting = Alerting(intake)
                await alerting.begin(rules)
                following = asyncio.create_task(alerting.run())
                try:
                    await scenario(intake, alerting, clock)
                finally:
                    following.cancel()
            begun = RECEIVED_US // 1_000_000
            return [
                (one.rule, one.state, one.time_us // 1_000_000 - begun, one.start_us // 1_000_000 - begun)
                for one in alert_history(lake.catalog)
            ]

    return asyncio.run(main())


async def put(intake: Intake, alerting: Alerting, data: bytes) -> None:
    """Hand lines over as a collector does."""
    done = intake.lake.complete(batch(data))
    engine = alerting.engine
    partials = engine.partials.of(Seen(done.rows, text_of(split(data).readable()), done.formats))
    await intake.put("web", [done], lambda: alerting.led_to(partials, engine), awaited=True)


async def three_errors(intake: Intake, alerting: Alerting, clock: FakeClock) -> None:
    await put(intake, alerting, b"error 1\nfine\nerror 2\nerror 3\n")
    await until(clock, lambda: open_alerts(intake.lake.catalog))


async def silence(_: Intake, __: Alerting, clock: FakeClock) -> None:
    await until(clock, lambda: clock.monotonic() > 90)


def test_an_alert_fires_is_kept_over_a_restart_and_recovers_by_the_clock(tmp_path: Path) -> None:
    assert run(tmp_path, [ERRORS], three_errors) == [("errors", "triggered", 0, 0)]
    found = run(tmp_path, [ERRORS], silence, now_s=5)
    assert found == [("errors", "triggered", 0, 0), ("errors", "recovered", 60, 0)]
    assert run(tmp_path, [ERRORS], silence, now_s=99) == found


def test_an_alert_whose_rule_is_gone_recovers(tmp_path: Path) -> None:
    run(tmp_path, [ERRORS], three_errors)
    assert [state for _, state, _, _ in run(tmp_path, [], silence, now_s=9)] == ["triggered", "recovered"]


def test_rules_that_stay_go_on_when_the_configuration_is_read_again(tmp_path: Path) -> None:
    async def scenario(intake: Intake, alerting: Alerting, clock: FakeClock) -> None:
        engine = alerting.engine
        data = b"error 1\nerror 2\n"
        partials = engine.partials.of(
            Seen(intake.lake.complete(batch(data)).rows, text_of(split(data).readable()), {1: PLAIN})
        )
        other = Rule("other", Limit(Fraction(9)), 60)
        await alerting.begin([other, ERRORS])
        await intake.put("web", [], lambda: alerting.led_to(partials, engine))
        await until(clock, lambda: alert_history(intake.lake.catalog))

    assert run(tmp_path, [ERRORS], scenario)[0][:2] == ("errors", "triggered")
