"""What a running process tells of itself and of its sources."""

import os
import resource
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from heeler import __version__
from heeler.daemon.alerting import Alerting, RuleStatus
from heeler.daemon.collector import Collector
from heeler.daemon.dispatching import Dispatcher, NotifierStatus
from heeler.daemon.intake import Intake


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How one source fares: what it says itself, and what was counted of it."""

    name: str
    kind: str
    alive: bool
    doing: str
    lag_bytes: int | None
    size_bytes: int | None
    lines: int
    bytes: int
    lines_per_second: float
    unparsed: int
    events: int
    restarts: int
    last_line: str | None
    last_error: str
    redacted: dict[str, int]
    counters: dict[str, int]


@dataclass(frozen=True, slots=True)
class Status:
    """How the process fares."""

    pid: int
    version: str
    uptime_seconds: float
    store: str
    lines: int
    bytes: int
    waiting_bytes: int
    memory_bytes: int
    sources: list[SourceStatus]
    rules: list[RuleStatus]
    notifiers: list[NotifierStatus]

    def as_json(self) -> dict[str, Any]:
        """Return it as `heeler status --json` prints it."""
        return asdict(self)

    @classmethod
    def read(cls, told: dict[str, Any]) -> "Status":
        """Return what `as_json` made."""
        values = {name: told[name] for name in cls.__dataclass_fields__}
        return cls(
            **values
            | {
                "sources": [SourceStatus(**one) for one in told["sources"]],
                "rules": [RuleStatus(**one) for one in told["rules"]],
                "notifiers": [NotifierStatus(**one) for one in told["notifiers"]],
            }
        )


def status_of(
    intake: Intake, collectors: Iterable[Collector], begun: float, alerting: Alerting, dispatcher: Dispatcher
) -> Status:
    """Look at everything. ``begun`` is when the process began (monotonic seconds)."""
    return Status(
        os.getpid(),
        __version__,
        round(intake.clock.monotonic() - begun, 1),
        f"lake:{intake.lake.folder}",
        intake.counts.lines,
        intake.counts.bytes,
        intake.waiting_bytes,
        memory_bytes(),
        [_source(collector) for collector in collectors],
        alerting.status(),
        dispatcher.status(),
    )


def _source(collector: Collector) -> SourceStatus:
    health, counts = collector.health(), collector.counts
    last_us = counts.last_line_us
    return SourceStatus(
        collector.name,
        collector.settings.kind,
        health.alive,
        health.doing,
        health.lag_bytes,
        health.size_bytes,
        counts.lines,
        counts.bytes,
        round(collector.lines_a_second, 1),
        counts.unparsed,
        counts.events,
        health.restarts,
        None if last_us is None else datetime.fromtimestamp(last_us / 1e6, UTC).isoformat(timespec="seconds"),
        health.last_error,
        dict(counts.redacted),
        dict(health.counters),
    )


def memory_bytes() -> int:
    """Return how much memory the process has now; at most, where that cannot be known."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - read every few seconds
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
