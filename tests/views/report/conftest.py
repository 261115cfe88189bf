"""Reports made by hand, and lakes with requests and messages that a test knows."""

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from heeler.formats.choose import FORMATS, format_named
from heeler.formats.lines import split
from heeler.store import AlertRow, Batch, Tick
from heeler.store.lake import Lake
from heeler.views.report.model import CLASSES, TABLES, Report

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
NOW_US = START_US + 86_400_000_000
TIMED = format_named('{client} {ident} {user} [{time}] "{request}" {status} {bytes} {duration}', FORMATS)


class Request(NamedTuple):
    second: int
    path: str = "/"
    status: int = 200
    size: int | None = 10
    client: str = "192.0.2.1"
    duration_ms: int | None = None
    group: str = "web"


def line_of(one: Request) -> bytes:
    at = START + timedelta(seconds=one.second)
    size = "-" if one.size is None else one.size
    took = "-" if one.duration_ms is None else f"{one.duration_ms / 1000:.3f}"
    stamp = f"{at:%d/%b/%Y:%H:%M:%S} +0000"
    return f'{one.client} - - [{stamp}] "GET {one.path} HTTP/1.1" {one.status} {size} {took}\n'.encode()


def batch_of(data: bytes, known: Any, group: str, stream: str) -> Batch:  # noqa: ANN401 - a format
    wanted = set(known.columns) | ({"section"} if known.table == "access" else set())
    records = known.parse(split(data), wanted)
    return Batch("file", f"{group}/{stream}", {"at": len(data)}, group, stream, known, records, NOW_US, len(data))


def filled_lake(
    folder: Path,
    requests: Sequence[Request],
    messages: Sequence[bytes] = (),
    alerts: Sequence[AlertRow] = (),
    ticks: int = 3,
) -> None:
    """Store the requests in the order in which they are given, in several ticks, then messages as logfmt."""
    with closing(Lake(folder)) as lake:
        for tick in range(ticks):
            some = requests[tick * len(requests) // ticks : (tick + 1) * len(requests) // ticks]
            groups = sorted({one.group for one in some})
            data = {group: b"".join(line_of(one) for one in some if one.group == group) for group in groups}
            batches = [batch_of(data[group] + b"nothing at all\n", TIMED, group, "a") for group in groups]
            if batches:
                lake.commit(Tick(tuple(batches)))
        if messages or alerts:
            known = FORMATS["logfmt"]
            made = (batch_of(b"".join(messages), known, "app", "m"),) if messages else ()
            lake.commit(Tick(made, tuple(alerts)))


def report_of(paths: Sequence[tuple[str | None, int]], counts: Sequence[Sequence[int]], **more: Any) -> Report:  # noqa: ANN401
    """Make a report of paths, and of counts of 2xx, 4xx and 5xx for each bucket of 10 s."""
    sums = {name: [0] * len(counts) for name in CLASSES}
    for at, (good, wrong, failed) in enumerate(counts):
        sums["2xx"][at], sums["4xx"][at], sums["5xx"][at] = good, wrong, failed
    hits = [sum(row) for row in counts]
    times = [START.replace(tzinfo=None) + timedelta(seconds=10 * at) for at in range(len(counts))]
    traffic = pl.DataFrame(
        {
            "time": pl.Series(times, dtype=pl.Datetime("us")),
            "requests": pl.Series(hits, dtype=pl.Int64),
            "requests_per_s": pl.Series([one / 10 for one in hits], dtype=pl.Float64),
            "bytes": pl.Series([one * 100 for one in hits], dtype=pl.Int64),
            "error_rate": pl.Series([(row[1] + row[2]) / max(sum(row), 1) for row in counts], dtype=pl.Float64),
            **{name: pl.Series(column, dtype=pl.Int64) for name, column in sums.items()},
        }
    )
    named = {"sections": "section", "clients": "client", "agents": "agent", "paths": "path"}
    tables = {name: pl.DataFrame(schema={key: pl.String, "requests": pl.Int64}) for name, key in named.items()}
    tables |= {
        "traffic": traffic,
        "classes": pl.DataFrame({"class": CLASSES, "requests": [sum(sums[name]) for name in CLASSES]}),
        "codes": pl.DataFrame(schema={"status": pl.Int64, "requests": pl.Int64}),
        "slowest": pl.DataFrame(schema={"path": pl.String, "requests": pl.Int64, "duration_p95": pl.Float64}),
        "errors": pl.DataFrame(schema={"kind": pl.String, "error": pl.String, "count": pl.Int64}),
        "samples": pl.DataFrame(schema={"time": pl.Datetime("us"), "line": pl.String}),
        "alerts": pl.DataFrame(schema={"time": pl.Datetime("us"), "rule": pl.String, "hits": pl.Int64}),
        "paths": pl.DataFrame(list(paths), schema={"path": pl.String, "requests": pl.Int64}, orient="row"),
    }
    values: dict[str, Any] = {
        "query": "",
        "since_us": START_US,
        "until_us": START_US + 10_000_000 * len(counts),
        "every_s": 10,
        "requests": sum(hits),
        "bytes": sum(hits) * 100,
        "errors": sum(row[1] + row[2] for row in counts),
        "tables": {name: tables[name] for name in TABLES},
    }
    return Report(**values | more)


@pytest.fixture
def fill() -> Callable[..., None]:
    return filled_lake


@pytest.fixture
def made() -> Callable[..., Report]:
    return report_of


@pytest.fixture
def request_of() -> type[Request]:
    return Request
