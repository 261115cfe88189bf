"""What a report says is what one counts by looking at the lines, whatever the order in which they came."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heeler.errors import HeelerError, UsageError
from heeler.query.language import parse
from heeler.store import AlertRow
from heeler.store.reading import LakeReader
from heeler.views.report.model import Report
from heeler.views.report.reading import MOST_BUCKETS, ReportQuestion, read_report

Fill = Callable[..., None]

START = datetime(2026, 11, 22, 10)  # noqa: DTZ001 - as the store has times
START_US = int(START.replace(tzinfo=UTC).timestamp()) * 1_000_000
NOW_US = START_US + 3_600_000_000

fields = st.tuples(
    st.integers(0, 90),
    st.sampled_from(["/", "/a", "/a?x=1", "/a/b?y", "/c?/a", "/%61"]),
    st.sampled_from([200, 200, 204, 304, 404, 500, 503]),
    st.one_of(st.none(), st.integers(0, 5000)),
    st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
    st.one_of(st.none(), st.integers(0, 3000)),
    st.sampled_from(["web", "api"]),
)
edges = st.one_of(st.none(), st.integers(0, 100))


def report_of(folder: Path, text: str = "", **more: Any) -> Report:  # noqa: ANN401 - parts of a question
    with closing(LakeReader(folder)) as reader:
        return read_report(reader, ReportQuestion(parse(text), now_us=NOW_US, **more))


def counted(report: Report, table: str, columns: int = 1) -> dict[Any, Any]:
    rows = report.tables[table].rows()
    return {row[0] if columns == 1 else row[:columns]: row[columns] for row in rows}


def stem(path: str) -> str:
    return path.partition("?")[0]


def check(report: Report, requests: Sequence[Any]) -> None:
    """Compare every figure with one that plain Python makes of the requests."""
    assert report.requests == len(requests)
    assert report.bytes == sum(one.size or 0 for one in requests)
    assert report.errors == sum(one.status >= 400 for one in requests)
    assert counted(report, "codes") == Counter(one.status for one in requests)
    assert counted(report, "paths") == Counter(stem(one.path) for one in requests)
    assert counted(report, "clients") == Counter(one.client for one in requests)
    sections = Counter("/" + stem(one.path).split("/")[1] for one in requests)
    assert counted(report, "sections") == sections
    classes = Counter(f"{one.status // 100}xx" for one in requests)
    assert {name: count for name, count in counted(report, "classes").items() if count} == classes
    failed = Counter(f"{one.status} {stem(one.path)}" for one in requests if one.status >= 500)
    assert counted(report, "errors", 2) == {("request", text): count for text, count in failed.items()}
    check_slowest(report, requests)
    check_traffic(report, requests)


def check_slowest(report: Report, requests: Sequence[Any]) -> None:
    took: dict[str, list[float]] = {}
    for one in requests:
        if one.duration_ms is not None:
            took.setdefault(stem(one.path), []).append(one.duration_ms / 1000)
    rows = {row[0]: row[1:] for row in report.tables["slowest"].rows()}
    assert rows.keys() == took.keys()
    for path, seconds in took.items():
        assert rows[path] == (len(seconds), *(pytest.approx(np.percentile(seconds, at)) for at in (50, 95, 99)))
    slow = report.tables["slowest"]["duration_p95"].to_list()
    assert slow == sorted(slow, reverse=True)


def check_traffic(report: Report, requests: Sequence[Any]) -> None:
    traffic = report.tables["traffic"]
    times = traffic["time"].to_list()
    step = timedelta(seconds=report.every_s)
    assert all(after - before == step for before, after in pairwise(times))
    buckets: dict[datetime, list[Any]] = {}
    for one in requests:
        at = START_US // 1_000_000 + one.second
        begins = datetime.fromtimestamp(at // report.every_s * report.every_s, UTC).replace(tzinfo=None)
        buckets.setdefault(begins, []).append(one)
    for row in traffic.iter_rows(named=True):
        some = buckets.pop(row["time"], [])
        assert row["requests"] == len(some)
        assert row["requests_per_s"] == pytest.approx(len(some) / report.every_s)
        assert row["bytes"] == sum(one.size or 0 for one in some)
        assert row["error_rate"] == pytest.approx(sum(one.status >= 400 for one in some) / max(len(some), 1), abs=1e-4)
        assert (row["2xx"], row["5xx"]) == tuple(sum(one.status // 100 == kind for one in some) for kind in (2, 5))
    assert buckets == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(rows=st.lists(fields, max_size=60), period=st.tuples(edges, edges), group=st.sampled_from(["", "web"]))
def test_every_figure_is_what_one_counts_by_looking(
    fill: Fill,
    request_of: Callable[..., Any],
    rows: list[tuple[Any, ...]],
    period: tuple[int | None, int | None],
    group: str,
) -> None:
    since_s, until_s = period
    requests = [request_of(*row) for row in rows]
    with TemporaryDirectory() as folder:
        fill(Path(folder) / "lake", requests)
        report = report_of(
            Path(folder) / "lake",
            f"group:{group}" if group else "",
            since_us=None if since_s is None else START_US + since_s * 1_000_000,
            until_us=None if until_s is None else START_US + until_s * 1_000_000,
        )
    meant = [
        one
        for one in requests
        if (since_s or 0) <= one.second < (math.inf if until_s is None else until_s) and group in ("", one.group)
    ]
    check(report, meant)


def test_a_query_narrows_every_table(fill: Fill, request_of: Callable[..., Any], tmp_path: Path) -> None:
    requests = [
        request_of(second, path, status, 7, client, second * second, "web")
        for second in range(0, 60, 7)
        for path in ("/a?1", "/b")
        for status in (200, 404, 500)
        for client in ("192.0.2.1", "192.0.2.2")
    ]
    fill(tmp_path / "lake", requests)

    report = report_of(tmp_path / "lake", "client:192.0.2.1 -path:/b")

    check(report, [one for one in requests if one.client == "192.0.2.1" and one.path != "/b"])
    assert report.query == "client:192.0.2.1 -path:/b"


def test_lists_end_with_so_many_rows(fill: Fill, request_of: Callable[..., Any], tmp_path: Path) -> None:
    fill(tmp_path / "lake", [request_of(at, f"/{at}", 500, 1, f"192.0.2.{at}", at) for at in range(30)])

    report = report_of(tmp_path / "lake", rows=4)

    lists = ("sections", "paths", "clients", "slowest", "errors", "samples")
    assert [report.tables[name].height for name in lists] == [4] * 6
    assert report.requests == 30
    assert [row[0] for row in report.tables["slowest"].rows()] == ["/29", "/28", "/27", "/26"]


def test_errors_of_programs_and_requests_are_counted_and_shown(
    fill: Fill, request_of: Callable[..., Any], tmp_path: Path
) -> None:
    at = [f"2026-11-22T10:00:0{second}Z" for second in range(5)]
    messages = [
        b"time=%s level=error msg=broke\n" % at[1].encode(),
        b"time=%s level=info msg=fine\n" % at[2].encode(),
        b"time=%s level=fatal msg=broke\n" % at[3].encode(),
        b'time=%s level=error msg="\x1b[2J\xff"\n' % at[4].encode(),
    ]
    fill(tmp_path / "lake", [request_of(2, "/x?1", 503), request_of(5, "/ok")], messages)

    report = report_of(tmp_path / "lake")

    assert counted(report, "errors", 2)["message", "broke"] == 2
    assert counted(report, "errors", 2)["request", "503 /x"] == 1
    assert report.tables["errors"].height == 3
    samples = report.tables["samples"]
    assert samples["time"].to_list() == [START + timedelta(seconds=second) for second in (1, 2, 3, 4)]
    assert samples["stream"].to_list() == ["m", "a", "m", "m"]
    assert samples["line"][0] == f"time={at[1]} level=error msg=broke"
    assert samples["line"][3].endswith('\\xff"')


def test_alerts_are_those_of_the_period(fill: Fill, tmp_path: Path) -> None:
    alerts = [
        AlertRow("high traffic", state, hits, START_US + second * 1_000_000, 0, "/a")
        for state, hits, second in (("recovered", 9, 30), ("triggered", 1300, 10), ("triggered", 1400, 90))
    ]
    fill(tmp_path / "lake", [], alerts=alerts)

    found = report_of(tmp_path / "lake", since_us=START_US, until_us=START_US + 90_000_000).tables["alerts"]

    assert found.rows() == [
        (START + timedelta(seconds=10), "high traffic", "/a", "triggered", 1300),
        (START + timedelta(seconds=30), "high traffic", "/a", "recovered", 9),
    ]


def test_an_empty_store_has_a_report(fill: Fill, tmp_path: Path) -> None:
    fill(tmp_path / "lake", [])

    report = report_of(tmp_path / "lake")

    assert (report.requests, report.error_rate, report.until_us) == (0, 0.0, NOW_US)
    assert [name for name, frame in report.tables.items() if frame.height] == ["classes"]


def test_one_stamp_far_away_does_not_make_a_million_rows(
    fill: Fill, request_of: Callable[..., Any], tmp_path: Path
) -> None:
    fill(tmp_path / "lake", [request_of(0), request_of(-3600 * 24 * 365 * 20), request_of(10)])

    traffic = report_of(tmp_path / "lake").tables["traffic"]

    assert traffic["requests"].sum() == 3
    assert traffic.height <= MOST_BUCKETS + 1


def test_a_query_that_counts_is_refused(fill: Fill, tmp_path: Path) -> None:
    fill(tmp_path / "lake", [])

    with pytest.raises(UsageError, match=r"without \|"):
        report_of(tmp_path / "lake", "| top path")


def test_what_says_that_time_is_over_ends_it(fill: Fill, request_of: Callable[..., Any], tmp_path: Path) -> None:
    fill(tmp_path / "lake", [request_of(0)])

    def over() -> None:
        raise HeelerError("over")

    with closing(LakeReader(tmp_path / "lake")) as reader, pytest.raises(HeelerError, match="over"):
        read_report(reader, ReportQuestion(), over)
