"""What Prometheus scrapes: how the process and its sources fare, and the traffic that went through."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from heeler.daemon.running import Daemon
from heeler.daemon.status import SourceStatus, Status

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"

_OF_SOURCES = (
    (CounterMetricFamily, "heeler_source_lines", "Lines taken in.", lambda one: one.lines),
    (CounterMetricFamily, "heeler_source_bytes", "Bytes of lines taken in.", lambda one: one.bytes),
    (
        CounterMetricFamily,
        "heeler_source_unparsed_lines",
        "Lines that their format does not fit.",
        lambda one: one.unparsed,
    ),
    (CounterMetricFamily, "heeler_source_restarts", "How often the source was made again.", lambda one: one.restarts),
    (
        CounterMetricFamily,
        "heeler_source_events",
        "What happened to it.",
        lambda one: one.events,
    ),
    (GaugeMetricFamily, "heeler_source_up", "Whether lines can come now.", lambda one: int(one.alive)),
    (GaugeMetricFamily, "heeler_source_lag_bytes", "What lies ready and is not read yet.", lambda one: one.lag_bytes),
    (GaugeMetricFamily, "heeler_source_size_bytes", "What its files take.", lambda one: one.size_bytes),
)
"""By metric: its type, name and help, and where the value comes from; None where a source has none."""


class _Collected:
    """Looks at the process whenever it is scraped; nothing is kept between two looks."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        status = self._daemon.status()
        yield InfoMetricFamily("heeler", "The version that runs.", {"version": status.version})
        yield GaugeMetricFamily("heeler_uptime_seconds", "How long the process runs.", status.uptime_seconds)
        yield GaugeMetricFamily("heeler_memory_bytes", "The memory that the process has.", status.memory_bytes)
        yield GaugeMetricFamily("heeler_waiting_bytes", "Lines that are not committed yet.", status.waiting_bytes)
        yield from self._of_sources(status.sources)
        yield from self._of_alerts(status)
        yield from self._traffic()

    def _of_sources(self, sources: list[SourceStatus]) -> Iterator[Metric]:
        for family, name, text, value in _OF_SOURCES:
            metric = family(name, text, labels=["source", "kind"])
            for one in sources:
                if (measured := value(one)) is not None:
                    metric.add_metric([one.name, one.kind], measured)
            yield metric
        counted = CounterMetricFamily("heeler_source_counted", "What else a source counts.", labels=["source", "what"])
        redacted = CounterMetricFamily("heeler_source_redacted", "Texts that were redacted.", labels=["source", "rule"])
        for one in sources:
            for what, times in one.counters.items():
                counted.add_metric([one.name, what], times)
            for rule, times in one.redacted.items():
                redacted.add_metric([one.name, rule], times)
        yield from (counted, redacted)

    def _of_alerts(self, status: Status) -> Iterator[Metric]:
        firing = GaugeMetricFamily("heeler_alerts_firing", "Groups of a rule that fire now.", labels=["rule"])
        late = CounterMetricFamily("heeler_rule_late_lines", "Lines that came too late to count.", labels=["rule"])
        for rule in status.rules:
            firing.add_metric([rule.name], len(rule.firing))
            late.add_metric([rule.name], rule.late)
        waiting = GaugeMetricFamily("heeler_notices_waiting", "Notices that wait to be told.", labels=["notifier"])
        failed = CounterMetricFamily("heeler_notices_failed", "Notices that were given up.", labels=["notifier"])
        for notifier in status.notifiers:
            waiting.add_metric([notifier.name], notifier.waiting)
            failed.add_metric([notifier.name], notifier.failed)
        yield from (firing, late, waiting, failed)

    def _traffic(self) -> Iterator[Metric]:
        labels = ["group", "section", "status"]
        requests = CounterMetricFamily("heeler_requests", "Requests in the lines taken in.", labels=labels)
        sizes = CounterMetricFamily("heeler_response_bytes", "Bytes of their answers.", labels=labels)
        for (group, section, status), hits, size in self._daemon.intake.counts.traffic:
            values = [group, section, f"{status}xx" if status else "unknown"]
            requests.add_metric(values, hits)
            sizes.add_metric(values, size)
        yield from (requests, sizes)


def metrics(daemon: Daemon) -> bytes:
    """Return all metrics in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(daemon))
    return generate_latest(registry)
