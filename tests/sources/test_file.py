"""Files that are read once, standard input, waking, and letting go."""

import asyncio
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.clock import FakeClock, SystemClock
from heeler.errors import EnvironmentFailed, SourceUnavailable, UsageError
from heeler.model import Chunk, Position
from heeler.sources import Source, file_changes
from heeler.sources.file import FileSource
from heeler.sources.file_changes import Inotify


def replay(
    path: Path | str, *, chunk_bytes: int = 1 << 16, longest: int = 1 << 20, positions: Mapping[str, Position] = {}
) -> list[Chunk]:
    async def read() -> list[Chunk]:
        source: Source = FileSource(
            path,
            clock=FakeClock(now_us=7),
            follow=False,
            positions=positions,
            chunk_bytes=chunk_bytes,
            longest_line_bytes=longest,
        )
        async with asyncio.timeout(20):
            return [chunk async for chunk in source.read()]

    return asyncio.run(read())


@given(text=st.binary(max_size=300), chunk_bytes=st.integers(1, 50), longest=st.integers(1, 60))
def test_a_file_is_read_exactly_to_its_end_in_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, chunk_bytes: int, longest: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "replay.log"
    path.write_bytes(text)

    chunks = replay(path, chunk_bytes=chunk_bytes, longest=longest)

    assert b"".join(chunk.data for chunk in chunks) == text
    assert all(len(chunk.data) <= max(chunk_bytes, longest) for chunk in chunks)
    unended = [chunk.data for chunk in chunks[:-1] if not chunk.data.endswith(b"\n")]
    assert all(len(piece) % longest == 0 for piece in unended)


def test_chunks_are_large_and_carry_position_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"12345\n" * 10 + b"end")

    chunks = replay(path, chunk_bytes=20)

    assert [len(chunk.data) for chunk in chunks] == [18, 18, 18, 6, 3]
    assert [chunk.position["offset"] for chunk in chunks] == [18, 36, 54, 60, 63]
    assert {(chunk.part, chunk.received_us) for chunk in chunks} == {(str(path), 7)}


def test_reading_once_goes_on_from_each_position(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"1\n22\n333\n4444")
    chunks = replay(path, chunk_bytes=4)

    for number, chunk in enumerate(chunks, 1):
        rest = replay(path, chunk_bytes=4, positions={str(path): chunk.position})
        assert rest == chunks[number:]


def test_another_file_at_the_path_is_read_from_its_start_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    before = replay(path)
    path.write_bytes(b"two\n")

    (chunk,) = replay(path, positions={str(path): before[-1].position})

    assert (chunk.data, [event.what for event in chunk.events]) == (b"two\n", ["rewritten"])


def test_an_empty_file_yields_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert replay(tmp_path / "empty") == []


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"nothing\.log does not exist\. Check the name\."):
        replay(tmp_path / "nothing.log")


def test_a_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory"):
        replay(tmp_path)


def test_a_fifo_is_told_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UsageError, match="not a regular file"):
        replay(tmp_path / "fifo")


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, *_: object) -> int:
        raise PermissionError(13, "Permission denied", path)

    (tmp_path / "a.log").touch()
    monkeypatch.setattr("heeler.sources.file_lines.os.open", refuse)

    with pytest.raises(EnvironmentFailed, match=r"a\.log cannot be opened: Permission denied\. Give this user"):
        replay(tmp_path / "a.log")


@pytest.fixture
def standard_input() -> Iterator[int]:
    """The writing end of a pipe that is standard input."""
    kept = os.dup(0)
    end, writer = os.pipe()
    os.dup2(end, 0)
    os.close(end)
    yield writer
    os.dup2(kept, 0)
    os.close(kept)


def test_standard_input_is_read_to_its_end(standard_input: int) -> None:
    os.write(standard_input, b"one\ntwo\nhalf")
    os.close(standard_input)

    chunks = replay("-")

    assert [(chunk.part, chunk.data) for chunk in chunks] == [("stdin", b"one\ntwo\n"), ("stdin", b"half")]


def test_a_long_line_of_standard_input_comes_in_pieces(standard_input: int) -> None:
    os.write(standard_input, b"x" * 70 + b"\nend")
    os.close(standard_input)

    assert [chunk.data for chunk in replay("-", chunk_bytes=8, longest=32)] == [
        b"x" * 32,
        b"x" * 32,
        b"x" * 6 + b"\nend"[:1],
        b"end",
    ]


def test_a_file_as_standard_input_is_read_to_its_end(standard_input: int, tmp_path: Path) -> None:
    os.close(standard_input)
    path = tmp_path / "a.log"
    path.write_bytes(b"line\n" * 1000)
    with path.open("rb") as file:
        os.dup2(file.fileno(), 0)

    assert b"".join(chunk.data for chunk in replay("-", chunk_bytes=64, longest=64)) == path.read_bytes()


def test_closing_ends_a_wait_for_standard_input(standard_input: int) -> None:
    async def scenario() -> list[Chunk]:
        source = FileSource("-", clock=SystemClock(), follow=False)
        chunks = []
        async with asyncio.timeout(5):
            async for chunk in source.read():
                chunks.append(chunk)
                asyncio.get_running_loop().call_soon(lambda: closing.append(asyncio.ensure_future(source.close())))
        return chunks

    closing: list[asyncio.Future[None]] = []
    os.write(standard_input, b"one\n")
    assert [chunk.data for chunk in asyncio.run(scenario())] == [b"one\n"]
    os.close(standard_input)


def test_standard_input_cannot_be_followed() -> None:
    with pytest.raises(UsageError, match="cannot be followed"):
        FileSource("-", clock=FakeClock(), follow=True)


def open_handles() -> set[str]:
    links = list(Path("/proc/self/fd").iterdir())
    return {str(link.readlink()) for link in links if link.is_symlink()}


async def somebody_waits_for(clock: FakeClock) -> None:
    while not clock.sleepers:  # noqa: ASYNC110 - the clock has no event for this; one turn of the loop costs no time
        await asyncio.sleep(0)


def test_appended_lines_arrive_by_notification(tmp_path: Path) -> None:
    """The clock stands still, so nothing but the kernel can wake the reader, and each line comes while it waits."""
    path = tmp_path / "a.log"
    path.touch()

    async def scenario() -> list[bytes]:
        clock = FakeClock()
        seen: list[bytes] = []
        async with asyncio.timeout(10), aclosing(FileSource(path, clock=clock, follow=True).read()) as chunks:
            await anext(chunks)
            for number in range(5):
                line = asyncio.ensure_future(anext(chunks))
                await somebody_waits_for(clock)
                with path.open("ab") as file:
                    file.write(b"line %d\n" % number)
                seen.append((await line).data)
        return seen

    assert asyncio.run(scenario()) == [b"line %d\n" % number for number in range(5)]


def test_a_link_to_another_directory_is_watched_there(tmp_path: Path) -> None:
    """Also after it was pointed elsewhere: the directories to watch are looked up again."""
    targets = [tmp_path / "a" / "1.log", tmp_path / "b" / "2.log"]
    for target in targets:
        target.parent.mkdir()
        target.touch()
    link = tmp_path / "link.log"

    async def scenario() -> None:
        clock = FakeClock()
        async with asyncio.timeout(10), aclosing(FileSource(link, clock=clock, follow=True).read()) as chunks:
            for target in targets:
                link.unlink(missing_ok=True)
                link.symlink_to(target)
                await anext(chunks)  # the start, then that another file stands there
                for _ in range(4):  # the change of the link may wake for the first
                    line = asyncio.ensure_future(anext(chunks))
                    await somebody_waits_for(clock)
                    with target.open("ab") as file:
                        file.write(b"line\n")
                    assert (await line).data == b"line\n"

    asyncio.run(scenario())


def test_followed_files_tell_their_sizes_and_what_is_not_read_yet(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.log").write_bytes(b"0123456\n" * 10)

    async def scenario() -> None:
        source = FileSource(tmp_path / "*.log", clock=FakeClock(), follow=True, from_start=True, chunk_bytes=32)
        async with asyncio.timeout(10), aclosing(source.read()) as chunks:
            async for chunk in chunks:
                if chunk.data:
                    break
            health = source.health()
            assert (health.alive, health.doing, health.size_bytes, health.lag_bytes) == (
                True,
                "follows 2 files",
                160,
                128,
            )
            while source.health().lag_bytes:
                await anext(chunks)
            assert source.health().size_bytes == 160
        assert not source.health().alive

    asyncio.run(scenario())


@pytest.mark.parametrize("cancel", [True, False])
def test_a_waiting_reader_ends_and_lets_go_of_everything(tmp_path: Path, *, cancel: bool) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    handles, threads = open_handles(), set(threading.enumerate())

    async def scenario() -> None:
        clock = FakeClock()
        source = FileSource(path, clock=clock, follow=True, from_start=True)
        first = asyncio.Event()

        async def read() -> None:
            async for _ in source.read():
                first.set()

        async with asyncio.timeout(10):
            reader = asyncio.create_task(read())
            await first.wait()
            await somebody_waits_for(clock)
            if cancel:
                reader.cancel()
            else:
                await source.close()
                await source.close()
            await asyncio.wait({reader})
            assert reader.cancelled() is cancel

    asyncio.run(scenario())

    assert open_handles() <= handles
    assert set(threading.enumerate()) <= threads


def test_a_reader_that_is_abandoned_lets_go_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")

    async def scenario() -> None:
        source = FileSource(path, clock=FakeClock(), follow=False)
        chunks = source.read()
        await anext(chunks)
        await source.close()
        assert str(path) not in open_handles()
        await chunks.aclose()

    asyncio.run(scenario())


def test_a_file_is_not_closed_under_the_thread_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file could be given its number at once, and its bytes be taken for lines of this one."""
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    reading, go_on = threading.Event(), threading.Event()
    real = os.pread

    def slow(fd: int, size: int, offset: int) -> bytes:
        reading.set()
        go_on.wait(10)
        os.fstat(fd)  # raises when it is closed
        return real(fd, size, offset)

    monkeypatch.setattr(os, "pread", slow)

    async def scenario() -> None:
        source = FileSource(path, clock=FakeClock(), follow=False)
        first = asyncio.ensure_future(anext(source.read()))
        await asyncio.to_thread(reading.wait, 10)
        await source.close()
        go_on.set()
        assert (await first).data == b"one\n"
        assert str(path) not in open_handles()

    asyncio.run(scenario())


def test_without_notifications_the_clock_wakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_changes._Libc, "init", lambda _: -1)

    async def scenario() -> None:
        clock = FakeClock()
        waker = Inotify(clock)
        waker.watch([str(tmp_path)], lambda _, __: True)
        assert waker.trouble
        async with asyncio.timeout(10):
            waiting = asyncio.create_task(waker.wait(1))
            await somebody_waits_for(clock)
            await clock.advance(file_changes.POLL_SECONDS - 0.01)
            assert not waiting.done()
            await clock.advance(0.01)
            await waiting
            await waker.close()

    asyncio.run(scenario())
