"""A whole session on real files, by a clock that stands still until it is moved; tests wait for what is said."""

import asyncio
import errno
import io
import itertools
import json
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from time import gmtime, strftime

import pytest

from heeler.clock import FakeClock
from heeler.errors import HeelerError, UsageError
from heeler.formats.choose import format_named
from heeler.model import Chunk
from heeler.rules.alert import HighTraffic
from heeler.sources.file_following import Follower
from heeler.views.invalid import InvalidLines
from heeler.views.plain import as_json, as_text
from heeler.views.snapshot import AlertLine, Block, Snapshot
from heeler.views.watch import WatchOptions, WatchSession
from heeler.views.watching import Said

BASE = 1_795_342_500  # 2026-11-22 10:15:00 UTC
RULE = HighTraffic(Fraction(1), 5)


def lines(*seconds: int, path: str = "/api/user") -> bytes:
    """One request at each of these seconds after `BASE`."""
    stamps = (strftime("%d/%b/%Y:%H:%M:%S +0000", gmtime(BASE + second)) for second in seconds)
    return b"".join(f'10.0.0.1 - - [{stamp}] "GET {path} HTTP/1.1" 200 10\n'.encode() for stamp in stamps)


class Watch:
    """A session in a task of its own, with everything that it says."""

    def __init__(self, *paths: Path, **options: bool) -> None:
        self.clock = FakeClock(BASE * 1_000_000)
        self.said: list[Said] = []
        self.notices: list[str] = []
        self.stderr = io.StringIO()
        self._happened = asyncio.Event()
        self.session = WatchSession(
            WatchOptions(tuple(map(str, paths)), RULE, 10, **options),  # type: ignore[arg-type]  # all that vary are flags
            self.clock,
            invalid=InvalidLines("all", self.stderr),
            say=self._say,
            notice=self._notice,
        )
        self.task = asyncio.create_task(self.session.run(self._happened.set))

    def _say(self, said: Sequence[Said]) -> None:
        self.said += said
        self._happened.set()

    def _notice(self, text: str) -> None:
        self.notices.append(text)
        self._happened.set()

    async def until(self, true: Callable[[Snapshot], bool]) -> Snapshot:
        """Wait until something has been said or has changed that makes ``true`` true."""
        while not true(self.session.snapshot()):
            if self.task.done():
                await self.task
                raise AssertionError("The session ended before.")
            self._happened.clear()
            await self._happened.wait()
        return self.session.snapshot()

    async def noticed(self, text: str) -> None:
        await self.until(lambda _: any(text in notice for notice in self.notices))

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, once the session waits for it."""
        await self.clock.advance(seconds)

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    @property
    def blocks(self) -> list[tuple[int, int]]:
        return [(one.end_s - BASE, one.hits) for one in self.said if isinstance(one, Block)]

    @property
    def alerts(self) -> list[tuple[str, int, int]]:
        return [(one.state, one.time_s - BASE, one.hits) for one in self.said if isinstance(one, AlertLine)]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario, which must leave no task and no thread."""

    async def checked() -> None:
        reported: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        async with asyncio.timeout(20):
            await scenario()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith(("heeler", "parse"))] == []
        assert reported == []

    asyncio.run(checked())


def open_files() -> set[str]:
    found = set()
    for entry in os.listdir("/dev/fd"):  # noqa: PTH208 - a Path for each would look at what it points to
        with suppress(OSError):
            found.add(os.readlink(f"/dev/fd/{entry}"))  # noqa: PTH115 - the same
    return found


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def is_parsed(count: int) -> Callable[[Snapshot], bool]:
    return lambda snapshot: snapshot.parsed >= count


def is_following(snapshot: Snapshot) -> bool:
    return all(file.state == "following" for file in snapshot.files)


def test_what_is_appended_is_seen_and_what_was_there_is_not(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(lines(0, 1, 2, 3))

    async def scenario() -> None:
        watch = Watch(log)
        await watch.until(is_following)
        append(log, lines(4, 5))
        await watch.until(is_parsed(2))
        append(log, lines(6, 14))
        await watch.until(is_parsed(4))
        assert watch.blocks == [(14, 3)]
        await watch.stop()
        assert watch.notices == [
            f"{log}: common, 100.00 % of the first 4 lines parsed",
            f"{log}: common, 100.00 % of 4 lines parsed",
        ]

    run(scenario)


def test_from_start_reads_what_is_there_first(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(lines(0, 1, 2, 3))

    async def scenario() -> None:
        watch = Watch(log, from_start=True)
        await watch.until(is_parsed(4))
        append(log, lines(10))
        await watch.until(is_parsed(5))
        assert watch.blocks == [(10, 4)]
        await watch.stop()

    run(scenario)


def test_a_log_that_is_rotated_is_read_on(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(lines(0))

    async def scenario() -> None:
        watch = Watch(log, from_start=True)
        await watch.until(is_parsed(1))
        log.rename(tmp_path / "access.log.1")
        append(tmp_path / "access.log.1", lines(1))
        append(log, lines(2, 3))
        await watch.until(is_parsed(4))
        await watch.noticed(f"Another file stands at {log} now")
        await watch.stop()

    run(scenario)


def test_a_missing_file_is_waited_for_and_that_is_said(tmp_path: Path) -> None:
    log = tmp_path / "later" / "access.log"

    async def scenario() -> None:
        watch = Watch(log)
        await watch.noticed(f"{log} does not exist; waiting for it.")
        assert watch.session.snapshot().files[0].state == "waiting"
        log.parent.mkdir()
        log.write_bytes(lines(0, 1))
        await watch.clock.advance(1)  # nothing tells of a folder that comes to be
        snapshot = await watch.until(is_parsed(2))
        assert (snapshot.files[0].state, snapshot.files[0].message) == ("following", "")
        await watch.stop()
        assert len(watch.notices) == 2

    run(scenario)


def test_without_lines_time_passes_all_the_same(tmp_path: Path) -> None:
    """Traffic stops dead: the alert recovers by the clock alone, and the blocks that follow are empty."""
    log = tmp_path / "access.log"
    log.write_bytes(lines(0, 0, 0, 0, 1, 1))

    async def scenario() -> None:
        watch = Watch(log, from_start=True)
        await watch.until(is_parsed(6))
        assert watch.alerts == []
        await watch.pass_time(2)
        assert watch.alerts == [("triggered", 1, 6)]
        assert watch.session.snapshot().firing is not None
        await watch.pass_time(2.5)
        assert watch.alerts == [("triggered", 1, 6)]
        await watch.pass_time(0.5)
        assert watch.alerts == [("triggered", 1, 6), ("recovered", 5, 2)]
        await watch.pass_time(27)
        assert watch.blocks == [(10, 6), (20, 0), (30, 0)]
        snapshot = watch.session.snapshot()
        assert (snapshot.firing, [one.state for one in snapshot.history]) == (None, ["triggered", "recovered"])
        assert (snapshot.now_s, snapshot.window_hits) == (BASE + 33, 0)
        await watch.stop()

    run(scenario)


def test_a_silent_log_has_empty_blocks_from_the_start_on(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.touch()

    async def scenario() -> None:
        watch = Watch(log)
        await watch.until(is_following)
        await watch.pass_time(21)
        assert watch.blocks == [(10, 0), (20, 0)]
        append(log, lines(20))
        await watch.until(is_parsed(1))
        await watch.pass_time(10)
        assert watch.blocks == [(10, 0), (20, 0), (30, 1)]
        await watch.stop()

    run(scenario)


def test_an_old_log_goes_on_by_its_own_time(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(lines(-1_000_000, -999_999))

    async def scenario() -> None:
        watch = Watch(log, from_start=True)
        await watch.until(is_parsed(2))
        await watch.pass_time(9)
        assert watch.blocks == [(-999_990, 2)]
        await watch.stop()

    run(scenario)


def test_several_live_files_are_one_traffic(tmp_path: Path) -> None:
    logs = [tmp_path / f"{name}.log" for name in "abc"]

    async def scenario() -> None:
        for log in logs:
            log.touch()
        watch = Watch(*logs)
        await watch.until(is_following)
        for log in logs:
            append(log, lines(0, 1, path=f"/{log.stem}"))
        snapshot = await watch.until(is_parsed(6))
        assert snapshot.current is not None
        assert snapshot.current.sections == (("/a", 2), ("/b", 2), ("/c", 2))
        await watch.pass_time(3)
        assert watch.alerts == [("triggered", 1, 6)]
        await watch.stop()
        assert len(watch.notices) == 3

    run(scenario)


def test_several_replayed_files_are_merged_by_their_times(tmp_path: Path) -> None:
    logs = [tmp_path / "a.log", tmp_path / "b.log"]
    logs[0].write_bytes(lines(*range(0, 60, 2)))
    logs[1].write_bytes(lines(*(second for second in range(1, 60, 2) for _ in range(2))))
    whole = tmp_path / "whole.log"
    both = (logs[0].read_bytes() + logs[1].read_bytes()).splitlines(keepends=True)
    whole.write_bytes(b"".join(sorted(both)))

    async def scenario() -> None:
        replays = [Watch(*logs, replay=True), Watch(whole, replay=True)]
        for watch in replays:
            await watch.task
        assert replays[0].said == replays[1].said
        assert replays[0].alerts[0][0] == "triggered"
        assert [hits for _, hits in replays[0].blocks] == [15] * 6
        assert replays[0].session.snapshot().files[1].state == "ended"

    run(scenario)


def test_cancelling_lets_go_of_files_tasks_and_threads(tmp_path: Path) -> None:
    logs = [tmp_path / "a.log", tmp_path / "b.log"]
    for log in logs:
        log.write_bytes(lines(*range(2000)))

    async def scenario() -> None:
        for from_start in (False, True):
            watch = Watch(*logs, from_start=from_start)
            await watch.until(is_following)
            assert {str(log) for log in logs} <= open_files()
            await watch.stop()
            assert watch.task.cancelled()
            assert not {str(log) for log in logs} & open_files()

    run(scenario)


def test_a_session_cancelled_before_it_began_leaves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(lines(0))

    async def scenario() -> None:
        watch = Watch(log)
        await watch.stop()
        assert str(log) not in open_files()

    run(scenario)


@pytest.mark.parametrize("from_start", [False, True])
@pytest.mark.parametrize("turns", [{0}, {1}, {0, 1, 2}], ids=str)
def test_a_source_that_fails_is_tried_again_and_no_line_is_lost_or_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, turns: set[int], from_start: bool
) -> None:
    """The disk fails when the file is looked at for the first time, the second, or three times."""
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 1, 2))
    looks = itertools.count()
    read = Follower.next

    def next_or_fail(self: Follower) -> Chunk | None:
        if next(looks) in turns:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(self)

    monkeypatch.setattr(Follower, "next", next_or_fail)

    async def scenario() -> None:
        watch = Watch(log, from_start=from_start)
        for _ in turns:
            await watch.noticed("Input/output error")
            watch.notices.clear()
            await watch.pass_time(1)
        await watch.until(is_parsed(3) if from_start else is_following)
        append(log, lines(3, 4))
        snapshot = await watch.until(is_parsed(5 if from_start else 2))
        assert snapshot.parsed == (5 if from_start else 2)
        assert snapshot.files[0].message == ""
        await watch.stop()

    run(scenario)


def test_a_format_is_found_when_the_first_lines_say_nothing(tmp_path: Path) -> None:
    log = tmp_path / "a.log"

    async def scenario() -> None:
        watch = Watch(log)
        await watch.noticed("waiting")
        append(log, b"starting\nstarted\n")
        snapshot = await watch.until(lambda snapshot: snapshot.unparsed == 2)
        assert snapshot.files[0].format is None
        append(log, lines(0, 1))
        snapshot = await watch.until(is_parsed(2))
        assert (snapshot.files[0].format, snapshot.unparsed) == ("common", 2)
        await watch.stop()
        assert watch.notices[-1] == f"{log}: common, 50.00 % of 4 lines parsed"
        assert watch.stderr.getvalue() == "invalid: starting\ninvalid: started\n"

    run(scenario)


IIS = (
    b"#Fields: date time c-ip cs-method cs-uri-stem sc-status\n",
    b"#Fields: date time cs-uri-stem cs-method c-ip sc-status\n",
)


def test_lines_are_read_by_the_fields_that_were_named_last(tmp_path: Path) -> None:
    log = tmp_path / "u_ex.log"
    log.write_bytes(IIS[0] + b"2026-11-22 10:14:00 10.0.0.1 GET /old 200\n" + IIS[1])

    async def scenario() -> None:
        watch = Watch(log)
        await watch.until(is_following)
        append(log, b"2026-11-22 10:15:00 /a/b GET 10.0.0.2 200\n")
        snapshot = await watch.until(is_parsed(1))
        assert snapshot.current is not None
        assert snapshot.current.sections == (("/a", 1),)
        append(log, IIS[0])
        append(log, b"2026-11-22 10:15:01 10.0.0.3 GET /c/d 200\n")
        snapshot = await watch.until(lambda snapshot: snapshot.current is not None and snapshot.current.hits == 2)
        assert snapshot.current is not None
        assert snapshot.current.top_clients == (("10.0.0.2", 1), ("10.0.0.3", 1))
        assert dict(snapshot.current.sections) == {"/a": 1, "/c": 1}
        await watch.stop()

    run(scenario)


def test_a_replay_counts_stamps_without_a_date_back_from_the_end_of_the_file(tmp_path: Path) -> None:
    log = tmp_path / "builds.log"
    clocks = [f"{hour % 24:02}:30:45 host /build.py: {hour}\n".encode() * 40_000 for hour in range(0, 72, 6)]
    log.write_bytes(b"".join(clocks))
    os.utime(log, (BASE, BASE - 10 * 3600 - 900 + 86_399))

    async def scenario() -> None:
        watch = Watch(log, replay=True)
        await watch.task
        times = [one.end_s // 10 for one in watch.said if isinstance(one, Block) and one.hits]
        assert [after - before for before, after in itertools.pairwise(times)] == [2160] * (len(clocks) - 1)

    run(scenario)


@pytest.mark.parametrize("there_before", [b"", lines(0, 1)], ids=["new", "known"])
def test_a_hole_of_nuls_does_not_end_a_watch(tmp_path: Path, there_before: bytes) -> None:
    """A writer that goes on at its old offset after a truncation leaves one."""
    log = tmp_path / "a.log"
    log.write_bytes(there_before)

    async def scenario() -> None:
        watch = Watch(log)
        await watch.until(is_following)
        append(log, bytes(9000) + b"\n")
        await watch.until(lambda snapshot: snapshot.unparsed == 1)
        append(log, bytes(9000) + b"\n")
        await watch.until(lambda snapshot: snapshot.unparsed == 2)
        append(log, lines(2, 3))
        await watch.until(is_parsed(2))
        await watch.stop()

    run(scenario)


def test_a_screen_gets_the_last_lines_escaped_and_few(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(lines(*range(1000)) + lines(1000, path="/\x1b]52;c;aGk=\x07") + b"\x9b31m\xff\xe2\x80\xae\n")

    async def scenario() -> None:
        watch = Watch(log, replay=True, screen=True)
        await watch.task
        snapshot = watch.session.snapshot()
        assert len(snapshot.lines) == 200
        assert snapshot.lines[-1] == r"\x9b31m\xff\u202e"
        assert r"/\x1b]52;c;aGk=\x07" in snapshot.lines[-2]
        assert snapshot.invalid == (snapshot.lines[-1],)
        assert (snapshot.parsed, snapshot.unparsed, snapshot.files[0].lines) == (1001, 1, 1002)

    run(scenario)


def test_the_numbers_of_a_screen_are_those_of_the_newest_second(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(lines(0, 0, 1, 3, 3, 3))

    async def scenario() -> None:
        watch = Watch(log, from_start=True, screen=True)
        snapshot = await watch.until(is_parsed(6))
        assert snapshot.second_hits[-4:] == (0, 2, 1, 0)
        assert (snapshot.now_s, snapshot.window_hits, snapshot.threshold, snapshot.last) == (BASE + 3, 6, 1.0, None)
        assert snapshot.current is not None
        assert snapshot.current.hits == 6
        await watch.stop()

    run(scenario)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (Path.mkdir, UsageError, "a.log is a directory"),
        (os.mkfifo, UsageError, "a.log is no regular file"),
        (lambda path: path.write_bytes(b"\x7fELF\0\0\n" * 99), UsageError, "a.log is a binary file"),
        (lambda path: path.symlink_to(path.name), UsageError, "a.log cannot be read: Too many levels"),
        (lambda _: None, UsageError, "There is no file .*a.log; check the path"),
    ],
    ids=["directory", "fifo", "binary", "loop", "missing"],
)
def test_what_cannot_be_watched_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], object], error: type[HeelerError], sentence: str
) -> None:
    make(tmp_path / "a.log")
    options = WatchOptions((str(tmp_path / "a.log"),), RULE, replay=True)
    invalid = InvalidLines("none", io.StringIO())

    with pytest.raises(error, match=sentence):
        WatchSession(options, FakeClock(), invalid=invalid, say=print, notice=print)


@pytest.mark.parametrize("named", ["", "*.log"], ids=["directory", "pattern"])
def test_the_files_of_a_directory_or_pattern_are_watched(tmp_path: Path, named: str) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()

    async def scenario() -> None:
        watch = Watch(folder / named, from_start=True)
        await watch.noticed(f"waiting for files that are {folder}/*")
        assert [file.state for file in watch.session.snapshot().files] == ["waiting"]
        await watch.stop()

        for number, name in enumerate(["a.log", "b.log"]):
            (folder / name).write_bytes(lines(0, *range(number)))
        (folder / "b.log.1").write_bytes(lines(0) * 9)
        again = Watch(folder / named, from_start=True)
        snapshot = await again.until(is_parsed(3))
        assert {file.path: file.lines for file in snapshot.files} == {f"{folder}/a.log": 1, f"{folder}/b.log": 2}
        assert not any("waiting" in notice for notice in again.notices)
        assert any(notice.startswith(f"{folder}/a.log: common") for notice in again.notices)
        with (folder / "a.log").open("ab") as file:
            file.write(lines(1))
        await again.until(is_parsed(4))
        await again.stop()

    run(scenario)


def test_nuls_in_a_file_of_which_a_line_parses_are_no_binary_file(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"\0\0\n" + lines(0, 1))

    async def scenario() -> None:
        watch = Watch(log, replay=True)
        await watch.task
        assert watch.blocks == [(10, 2)]
        assert watch.stderr.getvalue() == "invalid: \\x00\\x00\n"

    run(scenario)


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("[{time}] {client}", b"[22/Nov/2026:10:15:00 +0000] 10.0.0.1\n"),
        ("[{time}] {status}", b"[22/Nov/2026:10:15:00 +0000] 200\n"),
        ("[{time}] {path}", b"[22/Nov/2026:10:15:00 +0000] /api/user\n"),
        ("[{time}] {method} {status}", b"[22/Nov/2026:10:15:00 +0000] GET 404\n"),
        ("[{time}]", b"[22/Nov/2026:10:15:00 +0000]\n"),
    ],
    ids=str,
)
def test_a_format_that_leaves_fields_out_is_counted_and_can_be_shown(
    tmp_path: Path, template: str, line: bytes
) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(line * 3 + b"oops\n")

    async def scenario() -> None:
        said: list[Said] = []
        options = WatchOptions((str(log),), RULE, replay=True, format=format_named(template))
        invalid = InvalidLines("none", io.StringIO())
        session = WatchSession(options, FakeClock(), invalid=invalid, say=said.extend, notice=lambda _: None)
        await session.run(lambda: None)
        [block] = [one for one in said if isinstance(one, Block)]
        assert (block.hits, block.unparsed) == (3, 1)
        assert "3 hits" in as_text(block)
        assert json.loads(as_json(block))["hits"] == 3

    run(scenario)
