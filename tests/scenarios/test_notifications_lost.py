"""Fault 29: the queue of notifications overflows, no watch is left, or there are none at all."""

import asyncio
import errno
import struct
from pathlib import Path

import pytest

from heeler.clock import FakeClock
from heeler.sources import file_changes
from heeler.sources.file_changes import Inotify
from stage import Script, Stage, append, rotate

OVERFLOW = struct.pack("=iIII", -1, 0x4000, 0, 0)


def test_an_overflow_means_that_anything_may_have_changed(tmp_path: Path) -> None:
    async def scenario() -> None:
        waker = Inotify(FakeClock())
        waker.watch([str(tmp_path)], lambda _, __: True)
        waker.take(OVERFLOW)
        assert waker.told() is None
        assert waker.told() == frozenset()
        await waker.close()

    asyncio.run(scenario())


def test_after_an_overflow_every_file_is_looked_at(tmp_path: Path) -> None:
    """Each of them was written to, and nobody told of any."""
    logs = [tmp_path / f"{number}.log" for number in range(700)]
    for log in logs:
        log.write_bytes(b"one\n")
    stage = Stage(tmp_path / "*.log")
    stage.run()

    stage.run(*[lambda: [append(log, b"two\n")() for log in logs]])  # the stage tells as an overflow does

    assert stage.data.count(b"two\n") == 700


@pytest.mark.parametrize("tells", [None, frozenset()], ids=["overflow", "polled"])
def test_late_lines_in_a_rotated_file_are_read_where_nobody_tells_of_them(
    log: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch, tells: frozenset[str] | None
) -> None:
    """The file was let go long before."""
    rotated = [rotate(log), *[stage.advance(70)] * 2, lambda: None]
    stage.run(*rotated)
    monkeypatch.setattr(Script, "trouble", "" if tells is None else "No watch is left.")
    wait = Script.wait

    async def wait_untold(self: Script, seconds: float) -> frozenset[str] | None:
        await wait(self, seconds)
        return tells

    monkeypatch.setattr(Script, "wait", wait_untold)
    stage.run(append(log.with_name("app.log.1"), b"late\n"), stage.advance(1), lambda: None)

    assert stage.data == b"one\nlate\n"


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.ENOMEM])
def test_where_no_watch_is_left_the_clock_wakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    monkeypatch.setattr(file_changes._Libc, "add", lambda *_: -error)

    async def scenario() -> str:
        clock = FakeClock()
        waker = Inotify(clock)
        waker.watch([str(tmp_path)], lambda _, __: True)
        waiting = asyncio.ensure_future(waker.wait(1))
        while not clock.sleepers:  # noqa: ASYNC110 - the fake clock has no event; moved too early it wakes nobody
            await asyncio.sleep(0)
        await clock.advance(file_changes.POLL_SECONDS)
        assert await waiting == frozenset()
        await waker.close()
        return waker.trouble

    assert "No watch is left" in asyncio.run(scenario())


def test_that_files_are_polled_is_said_once(log: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Script, "trouble", "No watch is left.")

    stage.run(append(log, b"two\n"), append(log, b"three\n"))

    assert stage.events == ["polling"]
    assert stage.data == b"one\ntwo\nthree\n"


def test_a_busy_neighbour_wakes_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        waker = Inotify(FakeClock())
        waker.watch([str(tmp_path)], lambda path, _: path.endswith("/a.log"))
        for name in ("b.log", "a.log"):
            (tmp_path / name).write_bytes(b"one\n")
        assert await waker.wait(1) == frozenset({str(tmp_path / "a.log")})
        await waker.close()

    asyncio.run(scenario())


def test_a_folder_that_is_replaced_is_watched_again(tmp_path: Path) -> None:
    """The watch stays with the old folder, wherever it was moved."""
    folder = tmp_path / "logs"
    folder.mkdir()

    async def scenario() -> None:
        waker = Inotify(FakeClock())
        waker.watch([str(folder)], lambda _, __: True)
        folder.rename(tmp_path / "old")
        folder.mkdir()
        assert await waker.wait(1) is None
        waker.watch([str(folder)], lambda _, __: True)
        (folder / "a.log").touch()
        changed = await waker.wait(1)
        assert changed is not None
        assert str(folder / "a.log") in changed
        await waker.close()

    asyncio.run(scenario())
