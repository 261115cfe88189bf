"""Alerts in the catalog: their transitions, which of them are open, and who is still to be told of what."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heeler.store import AlertRow
from heeler.store.catalog import transaction

_COLUMNS = "alert.id, rule, alert.state, hits, time, zone, key, start, details"


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """One transition as it is stored; see `heeler.store.AlertRow`."""

    id: int
    rule: str
    state: str
    hits: int
    time_us: int
    zone_minutes: int
    key: str
    start_us: int
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What names the transition for ever, wherever it is told; the same when it is told again."""
        return f"{self.rule}|{self.key}|{self.start_us}|{self.state}"


@dataclass(frozen=True, slots=True)
class Due:
    """One transition that one notifier is to tell of, and how often that was tried."""

    alert: StoredAlert
    notifier: str
    attempts: int


def insert_alerts(catalog: sqlite3.Connection, rows: Iterable[AlertRow]) -> None:
    """Store transitions, and that they are to be told, inside the caller's transaction; one that is there is left."""
    for row in rows:
        inserted = catalog.execute(
            "insert or ignore into alert (rule, state, hits, time, zone, key, start, details) "
            "values (?, ?, ?, ?, ?, ?, ?, ?) returning id",
            (row.rule, row.state, row.hits, row.time_us, row.zone_minutes, row.key, row.start_us, row.details),
        ).fetchone()
        if inserted:
            catalog.executemany(
                "insert into outbox (alert, notifier, state, attempts, next, error) values (?, ?, 'waiting', 0, 0, '')",
                [(inserted[0], name) for name in dict.fromkeys(row.notify)],
            )


def alert_history(catalog: sqlite3.Connection, limit: int = 0) -> list[StoredAlert]:
    """Return the newest transitions, the oldest of them first; 0 means all."""
    rows = catalog.execute(
        f"select {_COLUMNS} from alert order by id desc limit ?",  # noqa: S608 - names of columns
        (limit or -1,),
    )
    return [_stored(row) for row in rows][::-1]


def alerts_after(catalog: sqlite3.Connection, last: int, limit: int) -> list[StoredAlert]:
    """Return the transitions that were stored after the one with the id ``last``, the first ``limit`` of them."""
    rows = catalog.execute(
        f"select {_COLUMNS} from alert where id > ? order by id limit ?",  # noqa: S608 - as above
        (last, limit),
    )
    return [_stored(row) for row in rows]


def open_alerts(catalog: sqlite3.Connection) -> list[StoredAlert]:
    """Return the transition that triggered each alert that has not recovered."""
    rows = catalog.execute(
        f"select {_COLUMNS} from alert where state = 'triggered' and start <> 0 and not exists "  # noqa: S608 - as above
        "(select 1 from alert as later where later.rule = alert.rule and later.key = alert.key "
        "and later.start = alert.start and later.state = 'recovered') order by alert.id"
    )
    return [_stored(row) for row in rows]


def last_transitions_us(catalog: sqlite3.Connection) -> dict[str, int]:
    """Return by rule the time of the newest transition of those that are followed."""
    return dict(catalog.execute("select rule, max(time) from alert where start <> 0 group by rule").fetchall())


def newest_us(catalog: sqlite3.Connection) -> tuple[int, int] | None:
    """Return the newest time of all records, and the last at which one was received; None without records."""
    row = catalog.execute(
        "select max(max_time), max(max_received) from (select max_time, max_received from segment "
        "where \"table\" in ('access', 'log') union all select max_time, max_received from recent "
        "where \"table\" in ('access', 'log'))"
    ).fetchone()
    return None if row[0] is None else (int(row[0]), int(row[1]))


def due_notifications(catalog: sqlite3.Connection, now_us: int, limit: int) -> list[Due]:
    """Return what is to be told now, the oldest first, at most ``limit`` for each notifier."""
    # The oldest says when: what came later waits behind it, so that no recovery is told before its alert.
    oldest = catalog.execute("select notifier, min(alert), next from outbox where state = 'waiting' group by notifier")
    found = []
    for name in [name for name, _, next_us in oldest.fetchall() if next_us <= now_us]:
        rows = catalog.execute(
            f"select {_COLUMNS}, attempts from outbox join alert on alert.id = outbox.alert "  # noqa: S608 - as above
            "where outbox.state = 'waiting' and notifier = ? order by alert.id limit ?",
            (name, limit),
        )
        found += [Due(_stored(row[:-1]), name, row[-1]) for row in rows]
    return found


def told(catalog: sqlite3.Connection, dues: Sequence[Due]) -> None:
    """Store that these were told."""
    _update(catalog, [("sent", 0, "", due) for due in dues])


def not_told(catalog: sqlite3.Connection, dues: Sequence[Due], next_us: int | None, error: str) -> None:
    """Store that telling these failed, and when it is tried again; None gives up."""
    state = "failed" if next_us is None else "waiting"
    _update(catalog, [(state, next_us or 0, error, due) for due in dues])


def outbox_counts(catalog: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Return by notifier how many notifications are waiting, sent and failed."""
    found: dict[str, dict[str, int]] = {}
    for name, state, count in catalog.execute("select notifier, state, count(*) from outbox group by 1, 2"):
        found.setdefault(name, {})[state] = count
    return found


def _update(catalog: sqlite3.Connection, rows: Sequence[tuple[str, int, str, Due]]) -> None:
    with transaction(catalog):
        catalog.executemany(
            "update outbox set state = ?, next = ?, error = ?, attempts = attempts + 1 "
            "where alert = ? and notifier = ?",
            [(state, next_us, error, due.alert.id, due.notifier) for state, next_us, error, due in rows],
        )


def _stored(row: Sequence[Any]) -> StoredAlert:
    number, rule, state, hits, time_us, zone_minutes, key, start_us, details = row
    return StoredAlert(number, rule, state, hits, time_us, zone_minutes, key, start_us, json.loads(details))
