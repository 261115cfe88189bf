"""A report: what the store knows of a period, as a few small tables. Nothing in it knows how it will be written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from heeler.units import SECOND_US

TABLES: Mapping[str, str] = {
    "traffic": "Traffic over time",
    "sections": "Sections",
    "classes": "Classes of status",
    "codes": "Status codes",
    "paths": "Paths",
    "slowest": "Slowest paths",
    "clients": "Clients",
    "agents": "Agents",
    "errors": "Errors",
    "samples": "Newest errors",
    "alerts": "Alerts",
}
"""The tables of a report in their order, and what each is called. `heeler.views.report.reading` says what they hold."""

CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx", "none")
"""The classes of status; ``none`` are answers without one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Report:
    """What happened from ``since_us`` on and before ``until_us``; ``every_s`` is the length of a row of ``traffic``.

    ``query`` says of which records, and is empty for all. ``errors`` are answers with status 400 and above. ``tables``
    has a frame for each of `TABLES` that was asked for, ``traffic`` among them.
    """

    query: str
    since_us: int
    until_us: int
    every_s: int
    requests: int
    bytes: int
    errors: int
    tables: Mapping[str, pl.DataFrame]

    @property
    def error_rate(self) -> float:
        """The share of errors, from 0 to 1; 0 where there was no request."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def requests_per_s(self) -> float:
        """The mean over the whole period."""
        return self.requests / max((self.until_us - self.since_us) / SECOND_US, 1.0)

    @property
    def since(self) -> datetime:
        """The start of the period, UTC."""
        return moment(self.since_us)

    @property
    def until(self) -> datetime:
        """The end of the period, UTC."""
        return moment(self.until_us)

    @property
    def title(self) -> str:
        """What the report is about, in a line. The query in it is as it was written."""
        about = f" of {self.query}" if self.query else ""
        return f"Report{about}: {self.since:%Y-%m-%d %H:%M:%S} to {self.until:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def figures(self) -> tuple[tuple[str, str], ...]:
        """The figures of the whole period: what each is called, and the figure."""
        return (
            ("Requests", f"{self.requests:,}"),
            ("Requests a second", f"{self.requests_per_s:,.2f}"),
            ("Bytes", f"{self.bytes:,}"),
            ("Error rate", f"{self.error_rate:.2%}"),
        )


def moment(time_us: int) -> datetime:
    """Return a time as UTC; one that no calendar has is the nearest that one has."""
    try:
        return _EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if time_us < 0 else datetime.max.replace(tzinfo=UTC)
