"""Reports that are appended: each moment is in one of them, whatever happens to clocks, files and the process."""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from heeler.clock import FakeClock
from heeler.daemon.report_settings import ReportSettings
from heeler.views.report.appending import KEPT, Reports, append, last_told_us

Fill = Callable[..., None]
Act = Callable[[FakeClock, Reports], Awaitable[None]]

START_US = int(datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp()) * 1_000_000
EMPTY = "-{68}\n {16}Report for DATE: (.*)\n-{68}\nPATH {20}COUNT\n-{68}\n((?:/.*\n)*)\n---ERROR RATE: (.*)%----\n\n"


class Place:
    """A lake and the file of its reports."""

    def __init__(self, folder: Path) -> None:
        self.lake = folder / "lake"
        self.file = folder / "out" / "report.txt"
        self.notices: list[str] = []

    def run(self, act: Act, *, at_us: int = START_US + 3_000_000, **settings: Any) -> None:  # noqa: ANN401
        """Run what appends reports while ``act`` moves the clock."""

        async def whole() -> None:
            clock = FakeClock(at_us)
            told = ReportSettings.model_validate({"path": str(self.file)} | (settings or {"every": "10s"}))
            reports = Reports(told, self.file, self.lake, clock, self.notices.append)
            task = asyncio.create_task(reports.run())
            await settled(clock)
            await act(clock, reports)
            task.cancel()
            await asyncio.wait([task])

        asyncio.run(whole())

    def reports(self) -> list[tuple[str, dict[str, int]]]:
        """Return the time of day of each report, and the counts in it."""
        text = self.file.read_text() if self.file.exists() else ""
        found = re.findall(EMPTY, text)
        assert re.sub(EMPTY, "", text) == ""
        return [
            (date.partition(" ")[2], {row.split()[0]: int(row.split()[1]) for row in rows.splitlines()})
            for date, rows, _ in found
        ]


async def settled(clock: FakeClock) -> None:
    """Wait until nobody does anything but wait for the clock."""
    while not clock.sleepers:
        await asyncio.to_thread(threading.Event().wait, 0.002)


async def seconds(clock: FakeClock, count: int) -> None:
    for _ in range(count):
        await clock.advance(1)
        await settled(clock)


@pytest.fixture
def place(tmp_path: Path, fill: Fill, request_of: Callable[..., Any]) -> Place:
    """A lake with a request each second for two minutes, in no order of time: ``/0?x`` in the first ten, and so on."""
    made = Place(tmp_path)
    fill(made.lake, [request_of(at * 37 % 120, f"/{at * 37 % 120 // 10}?x") for at in range(120)])
    return made


def test_each_period_is_reported_once_a_little_after_its_end(place: Place) -> None:
    async def act(clock: FakeClock, _: Reports) -> None:
        await seconds(clock, 9)
        assert place.reports() == []  # 10:00:12: lines of the first ten seconds may still be on their way
        await seconds(clock, 21)

    place.run(act)

    assert place.reports() == [("10:00:10", {"/0": 10}), ("10:00:20", {"/1": 10}), ("10:00:30", {"/2": 10})]
    assert place.notices == []


def test_what_began_while_nothing_ran_is_in_the_next_report(place: Place) -> None:
    async def act(clock: FakeClock, _: Reports) -> None:
        await seconds(clock, 12)

    place.run(act)
    place.run(act, at_us=START_US + 47_000_000)

    assert place.reports() == [("10:00:10", {"/0": 10}), ("10:00:50", {"/1": 10, "/2": 10, "/3": 10, "/4": 10})]


def test_what_could_not_be_written_is_in_the_next_report(place: Place) -> None:
    async def act(clock: FakeClock, _: Reports) -> None:
        place.file.mkdir(parents=True)
        await seconds(clock, 12)
        place.file.rmdir()
        await seconds(clock, 10)

    place.run(act)

    assert place.reports() == [("10:00:20", {"/0": 10, "/1": 10})]
    assert [one.startswith(f"The report to {place.file} was not made: ") for one in place.notices] == [True]


def test_a_clock_that_jumps_ahead_leaves_nothing_out(place: Place) -> None:
    async def act(clock: FakeClock, _: Reports) -> None:
        await seconds(clock, 12)
        clock._now_us += 40_000_000
        await seconds(clock, 12)

    place.run(act)

    assert place.reports()[0] == ("10:00:10", {"/0": 10})
    assert sum(sum(counts.values()) for _, counts in place.reports()) == (
        int(place.reports()[-1][0][-5:-3]) * 60 + int(place.reports()[-1][0][-2:])
    )


def test_a_clock_that_is_set_back_a_little_repeats_nothing(place: Place) -> None:
    async def act(clock: FakeClock, _: Reports) -> None:
        await seconds(clock, 12)

    place.run(act)
    place.run(act, at_us=START_US + 8_000_000)
    assert [time for time, _ in place.reports()] == ["10:00:10"]
    place.run(act, at_us=START_US + 12_000_000)

    assert place.reports() == [("10:00:10", {"/0": 10}), ("10:00:20", {"/1": 10})]


def test_a_clock_that_is_set_back_a_day_does_not_silence_it_for_a_day(place: Place) -> None:
    async def act(clock: FakeClock, _: Reports) -> None:
        await seconds(clock, 12)
        clock._now_us -= 86_400_000_000
        await seconds(clock, 25)

    place.run(act)

    assert [time for time, _ in place.reports()] == ["10:00:10", "10:00:30"]
    assert "DATE: 2026-11-21 10:00:30\n" in place.file.read_text()


def test_the_end_stops_a_report_that_is_being_made(place: Place) -> None:
    async def act(clock: FakeClock, reports: Reports) -> None:
        reports.ending.set()
        await seconds(clock, 12)

    place.run(act)

    assert place.reports() == []
    assert ["Heeler ends." in one for one in place.notices] == [True]


def test_cron_says_when_and_top_how_many(place: Place) -> None:
    async def act(clock: FakeClock, _: Reports) -> None:
        await seconds(clock, 130)

    place.run(act, cron="* * * * *", top=2)

    assert place.reports() == [("10:01:00", {"/0": 10, "/1": 10}), ("10:02:00", {"/10": 10, "/11": 10})]


def test_the_file_is_rotated_and_so_many_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    for number in range(KEPT + 4):
        append(b"%d" % number * 60, file, largest_bytes=100)

    assert file.read_bytes() == b"8" * 60
    kept = {path.name: path.read_bytes()[:1] for path in tmp_path.iterdir()}
    assert kept == {"report.txt": b"8", **{f"report.txt.{at}": b"%d" % (8 - at) for at in range(1, KEPT + 1)}}


def test_a_report_larger_than_the_limit_is_written_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    append(b"a" * 200, file, largest_bytes=100)
    append(b"b" * 200, file, largest_bytes=100)

    assert [path.read_bytes()[:1] for path in (file, tmp_path / "report.txt.1")] == [b"b", b"a"]


@pytest.mark.parametrize(
    "data", [b"", b"\xff\x00", b"Report for DATE: 2026-11-22 10:00:00\n", b"  Report for DATE: 2026-99-22 10:00:00\n"]
)
def test_a_file_of_something_else_tells_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "report.txt").write_bytes(data)

    assert last_told_us(tmp_path / "report.txt") is None
    assert last_told_us(tmp_path / "none") is None
