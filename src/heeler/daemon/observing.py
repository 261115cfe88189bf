"""Looking at a running process: how it and its sources fare."""

import os
import resource
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from heeler import __version__
from heeler.daemon.alerting import Alerting
from heeler.daemon.collector import Collector
from heeler.daemon.dispatching import Dispatcher
from heeler.daemon.intake import Intake
from heeler.daemon.status import SourceStatus, Status


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
