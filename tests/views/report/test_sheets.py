"""Days sent to a server of Sheets v4: a sheet a day, replaced and never appended to, whatever fails in between."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sheets_server import SheetsServer

from heeler.errors import EnvironmentFailed, UsageError
from heeler.query.language import parse
from heeler.store.reading import LakeReader
from heeler.views.report.days import DAY_US, Rows, days_of, keep
from heeler.views.report.reading import ReportQuestion
from heeler.views.report.sheets import TRIES, Spreadsheet, send

START_US = int(datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp()) * 1_000_000
DAYS: Mapping[str, Rows] = {
    "2026-11-22": [("Requests", 3), (), ("path", "requests"), ("/a", 2), ("=IMPORTXML(A1)", 1), (None, 0.5)],
    "2026-11-23": [("Requests", 0)],
    "2026-11-24": [("+1", 7), ("'x", 1)],
}


@pytest.fixture
def server() -> SheetsServer:
    return SheetsServer("book1")


@pytest.fixture
def target(server: SheetsServer) -> Iterator[Spreadsheet]:
    with server.running() as address:
        yield Spreadsheet("book1", "", address)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library waits a random share of a second, then of two, before it tries again: no time at all here."""
    monkeypatch.setattr("googleapiclient.http.random.random", lambda: 0.0)


def told(days: Mapping[str, Rows]) -> dict[str, list[list[Any]]]:
    """Return what the sheets must show: all rows as wide as the widest, and nothing around them."""
    found = {}
    for day, rows in days.items():
        wide = max(map(len, rows))
        found[day] = [[*row, *[None] * (wide - len(row))] for row in rows]
    return found


def shown(server: SheetsServer) -> dict[str, list[list[Any]]]:
    return {title: server.values(title) for title in sorted(server.sheets) if title != "Mine"}


def test_each_day_is_a_sheet_and_text_is_no_formula(server: SheetsServer, target: Spreadsheet) -> None:
    send(target, DAYS)

    assert shown(server) == told(DAYS)
    assert server.values("Mine")[0][0] == "keep"


def test_sending_again_repeats_nothing_and_late_lines_replace_the_day(
    server: SheetsServer, target: Spreadsheet
) -> None:
    send(target, DAYS)
    send(target, DAYS)
    assert shown(server) == told(DAYS)

    less: Mapping[str, Rows] = {"2026-11-22": [("Requests", 4)], "2026-11-25": [("Requests", 1)]}
    send(target, less)

    assert shown(server) == told({**DAYS, **less})


def test_a_day_larger_than_a_new_sheet_fits(server: SheetsServer, target: Spreadsheet) -> None:
    large: Mapping[str, Rows] = {"2026-11-22": [[row, *range(40)] for row in range(1500)]}

    send(target, large)

    assert shown(server) == told(large)


@pytest.mark.parametrize(
    "faults", [[503], [429, 500], [-503], [0, -503], [0, 0, -503, -500], [0, 0, 0, 503, -503]], ids=str
)
def test_what_fails_for_the_moment_or_is_answered_in_vain_is_sent_again(
    server: SheetsServer, target: Spreadsheet, faults: list[int]
) -> None:
    server.faults = faults

    send(target, DAYS)

    assert shown(server) == told(DAYS)


def test_a_day_that_fails_for_good_is_named_and_the_others_are_sent(server: SheetsServer, target: Spreadsheet) -> None:
    send(target, DAYS)
    before = shown(server)
    changed: Mapping[str, Rows] = {day: [("Requests", 99)] for day in DAYS}
    server.faults = [0, 400]

    with pytest.raises(
        EnvironmentFailed, match=r"1 of 3 days were not sent \((2026-11-2\d)\).*answered 400: told to"
    ) as failed:
        send(target, changed)

    missing = next(day for day in DAYS if f"({day})" in str(failed.value))
    assert shown(server) == {**told(changed), missing: before[missing]}


@pytest.mark.parametrize(
    ("status", "hint"), [(403, "Share the spreadsheet"), (404, "between /d/ and /edit"), (503, "503")]
)
def test_what_cannot_be_reached_is_told(server: SheetsServer, target: Spreadsheet, status: int, hint: str) -> None:
    server.faults = [status] * (TRIES + 1)

    with pytest.raises(EnvironmentFailed, match=f"Nothing was sent.*{hint}"):
        send(target, DAYS)

    assert shown(server) == {}


def test_nobody_listening_is_told() -> None:
    with pytest.raises(EnvironmentFailed, match=r"Nothing was sent\. Google Sheets cannot be reached"):
        send(Spreadsheet("book1", "", "http://127.0.0.1:9"), DAYS)


def test_a_key_is_needed_but_for_another_address(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--key FILE"):
        send(Spreadsheet("book1", ""), DAYS)
    with pytest.raises(UsageError, match=r"none cannot be read: No such file"):
        send(Spreadsheet("book1", str(tmp_path / "none")), DAYS)
    (tmp_path / "key").write_text("{}")
    with pytest.raises(UsageError, match="is no key file of a service account"):
        send(Spreadsheet("book1", str(tmp_path / "key")), DAYS)


def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google_auth_httplib2", None)

    with pytest.raises(UsageError, match=r"pip install 'heeler\[gdrive\]'"):
        send(Spreadsheet("book1", ""), DAYS)


def test_days_of_a_store_hold_what_reports_say(
    server: SheetsServer, target: Spreadsheet, fill: Callable[..., None], request_of: Callable[..., Any], tmp_path: Path
) -> None:
    day_s = DAY_US // 1_000_000
    requests = [
        request_of(at, path, status)
        for at in (0, 5, day_s, 2 * day_s)
        for path, status in (("/a?1", 200), ("=1+1", 500))
    ]
    fill(tmp_path / "lake", requests)
    with closing(LakeReader(tmp_path / "lake")) as reader:
        question = ReportQuestion(parse(""), START_US, START_US + 2 * DAY_US, now_us=START_US)
        days = dict(days_of(reader, question, lambda: None))
    keep(days, tmp_path / "days.json")
    send(target, days)

    assert list(days) == ["2026-11-22", "2026-11-23", "2026-11-24"]
    assert [rows[0] for rows in days.values()] == [("Requests", 4), ("Requests", 2), ("Requests", 2)]
    assert json.loads((tmp_path / "days.json").read_text()) == json.loads(json.dumps(days))
    assert [path.name for path in tmp_path.iterdir() if "days" in path.name] == ["days.json"]
    sheet = server.values("2026-11-22")
    at = next(number for number, row in enumerate(sheet) if row[0] == "Paths")
    assert [row[:2] for row in sheet[at + 2 : at + 4]] == [["/a", 2], ["=1+1", 2]]


def test_too_many_days_are_refused(fill: Callable[..., None], tmp_path: Path) -> None:
    fill(tmp_path / "lake", [])
    with closing(LakeReader(tmp_path / "lake")) as reader, pytest.raises(UsageError, match="366 can be sent"):
        next(days_of(reader, ReportQuestion(since_us=0, until_us=START_US), lambda: None))
