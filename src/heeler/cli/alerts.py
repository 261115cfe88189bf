"""`heeler alerts`."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from heeler.cli.config_option import ConfigOption
from heeler.cli.screens import notice
from heeler.cli.store_option import StoreOption
from heeler.cli.stores import reading
from heeler.clock import SystemClock
from heeler.config.document import did_you_mean
from heeler.config.finding import found_configuration
from heeler.daemon.alerting import rows_of
from heeler.daemon.configuration import Configuration, configured
from heeler.daemon.setup import rules_of
from heeler.errors import EnvironmentFailed, Exit, UsageError
from heeler.notify.notice import Notice
from heeler.notify.settings import NotTold
from heeler.query.period import moment_us
from heeler.rules.engine import Engine
from heeler.rules.history import replayed
from heeler.rules.rule import Rule
from heeler.store import AlertRow
from heeler.store.alerts import StoredAlert, alert_history, alerts_after, open_alerts
from heeler.store.catalog import open_for_reading
from heeler.store.url import lake_folder
from heeler.units import SECOND_US
from heeler.views.alerts import as_json as told_as_json
from heeler.views.alerts import as_text

FOLLOW_SECONDS = 0.5
MOST_AT_ONCE = 1_000

Write = Callable[[StoredAlert], str]
"""Returns a transition as a line."""


def alerts(
    what: Annotated[str, typer.Argument(metavar="[list|history|test|preview]", show_default=False)] = "list",
    rule: Annotated[str, typer.Argument(metavar="[RULE]", help="For test and preview.", show_default=False)] = "",
    since: Annotated[str, typer.Option(help="How far back preview looks.")] = "7d",
    limit: Annotated[int, typer.Option(min=0, help="The newest so many of the history; 0 means all.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")] = False,
    config: ConfigOption = "",
    store: StoreOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> int:
    """Show what fires now (list) and what fired (history); test who is told; preview what a rule would have done."""
    write = _json_line if as_json else _text_line
    if what in ("list", "history"):
        return _shown(what, lake_folder(store), write, limit=limit, follow=follow)
    if what not in ("test", "preview"):
        known = ("list", "history", "test", "preview")
        raise UsageError(f"alerts cannot {what!r}.{did_you_mean(what, known)} It can {', '.join(known)}.")
    settings = configured(found_configuration(config)).settings
    chosen = _rule_named(rule, settings)
    if what == "test":
        return _test(chosen, settings)
    return _preview(chosen, since, store, write)


def _shown(what: str, folder: Path, write: Write, *, limit: int, follow: bool) -> int:
    with closing(open_for_reading(folder)) as catalog:
        found = open_alerts(catalog) if what == "list" else alert_history(catalog, limit)
        for alert in found:
            print(write(alert), flush=follow)
        last = max((alert.id for alert in alert_history(catalog, 1)), default=0)
        if follow:
            asyncio.run(_follow(catalog, last, write))
    if not found and what == "list":
        notice("No alert fires.")
    return Exit.DONE if found else Exit.NOTHING_FOUND


async def _follow(catalog: sqlite3.Connection, last: int, write: Write) -> None:
    """Print what is committed from here on, until it is interrupted."""
    clock = SystemClock()
    while True:
        await clock.sleep(FOLLOW_SECONDS)
        for alert in alerts_after(catalog, last, MOST_AT_ONCE):
            print(write(alert), flush=True)
            last = alert.id


def _rule_named(name: str, settings: Configuration) -> Rule:
    known = {rule.name: rule for rule in rules_of(settings)}
    if not name:
        raise UsageError(f"Name the rule. There are {', '.join(known)}.")
    if name not in known:
        raise UsageError(f"There is no rule {name!r}.{did_you_mean(name, known)} There are {', '.join(known)}.")
    return known[name]


def _test(rule: Rule, settings: Configuration) -> int:
    """Tell every notifier of a rule an alert that is none, and its recovery."""
    if not rule.notify:
        raise UsageError(f"The rule {rule.name!r} tells nobody; its notify names who is told.")
    now_us = SystemClock().now_us() // SECOND_US * SECOND_US
    failed = False
    for name in rule.notify:
        try:
            notifier = settings.notify[name].open()
            for state in ("triggered", "recovered"):
                notifier.tell([_trial(rule, state, now_us)])
        except NotTold as error:
            failed = True
            notice(f"{name}: {error}")
        else:
            print(f"{name}: told of a test alert and its recovery.")
    if failed:
        raise EnvironmentFailed("Not everybody could be told.")
    return Exit.DONE


def _trial(rule: Rule, state: str, now_us: int) -> Notice:
    limit = float(rule.limit.limit)
    text = f"This is a test of the rule; nothing happened. {rule.text}".strip()
    return Notice(
        f"test|{rule.name}|{now_us}|{state}", rule.name, "", state, 0, limit, limit, rule.window_s, now_us, now_us, 0,
        rule.severity, text,
    )  # fmt: skip


def _preview(rule: Rule, since: str, store: str, write: Write) -> int:
    now_us = SystemClock().now_us()
    since_us = moment_us(since, now_us, "The start (--since)")
    engine = Engine([rule])
    count = 0
    with closing(reading(store)) as reader:
        end_s = now_us // SECOND_US - rule.lateness_s - 1
        silent = ([(rule, change) for change in one.advance_to(end_s)] for one in engine.evaluations)
        for changes in chain(replayed(engine, reader, since_us, now_us), silent):
            for row in rows_of(changes):
                count += 1
                print(write(_as_stored(count, row)))
    if failure := engine.partials.failed.get(rule.name):
        raise EnvironmentFailed(f"The rule {rule.name!r} could not be evaluated: {failure}")
    if not count:
        notice(f"{rule.name!r} would not have fired since {since}.")
    return Exit.DONE if count else Exit.NOTHING_FOUND


def _as_stored(number: int, row: AlertRow) -> StoredAlert:
    details: Mapping[str, object] = json.loads(row.details)
    return StoredAlert(
        number, row.rule, row.state, row.hits, row.time_us, row.zone_minutes, row.key, row.start_us, details
    )


def _json_line(alert: StoredAlert) -> str:
    return json.dumps(told_as_json(alert))


def _text_line(alert: StoredAlert) -> str:
    return as_text(alert)
