"""What a followed file may suffer, and what is read of it. No test waits for time: the waker runs the next action."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heeler.clock import FakeClock
from heeler.model import Chunk
from heeler.sources import file_following
from heeler.sources.file_identity import NotRegular, Signature, signature_at
from heeler.sources.file_lines import OpenFile
from stage import Action, Stage, append, data, events, perform


def follow(
    path: Path,
    *actions: Action,
    after: Iterable[Chunk] = (),
    most: int | None = None,
    **options: Any,  # noqa: ANN401 - those of the source
) -> list[Chunk]:
    """Return what a source yields while ``actions`` happen, one each time it waits; ``most`` chunks at most."""
    stage = Stage(path, **options)
    for chunk in after:
        stage.store(chunk)
    return stage.run(*actions, most=most)


def handles_on(path: Path) -> int:
    """Count the open files of this process that stand, or stood, under the folder ``path``."""
    links = list(Path("/proc/self/fd").iterdir())
    return sum(str(path) in str(link.readlink()) for link in links if link.is_symlink())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    return path


def test_lines_are_yielded_as_they_are_appended(log: Path) -> None:
    chunks = follow(log, append(log, b"two\n"), append(log, b"three\r\n\x00\xff\n"))

    assert [chunk.data for chunk in chunks] == [b"one\n", b"two\n", b"three\r\n\x00\xff\n"]
    assert {chunk.path for chunk in chunks} == {str(log)}
    assert chunks[-1].position["offset"] == log.stat().st_size


def test_a_file_that_does_not_exist_yet_is_waited_for_and_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "later.log"

    first, second = follow(path, lambda: None, append(path, b"one\n"), from_start=False)

    assert (first.data, [event.what for event in first.events]) == (b"", ["waiting"])
    assert (second.data, second.events) == (b"one\n", ())


def test_a_file_that_came_while_nobody_looked_is_read_from_its_start(tmp_path: Path) -> None:
    """The position of the waiting chunk says so, although a source without a position starts at the end."""
    path = tmp_path / "later.log"
    (waiting,) = follow(path, from_start=False)
    path.write_bytes(b"one\n")

    assert data(follow(path, after=[waiting], from_start=False)) == b"one\n"


def test_reading_starts_at_the_end_after_the_last_complete_line(log: Path) -> None:
    append(log, b"half")()

    chunks = follow(log, append(log, b" whole\n"), from_start=False)

    assert [chunk.data for chunk in chunks] == [b"", b"half whole\n"]
    assert chunks[0].position["offset"] == len(b"one\n")


def test_the_end_where_reading_started_survives_a_restart(log: Path) -> None:
    (start,) = follow(log, from_start=False)
    append(log, b"two\n")()

    assert data(follow(log, after=[start], from_start=False)) == b"two\n"


def test_a_line_written_byte_by_byte_is_one_line(log: Path) -> None:
    chunks = follow(log, *(append(log, bytes([byte])) for byte in b"slow\r\n"))

    assert [chunk.data for chunk in chunks] == [b"one\n", b"slow\r\n"]


def test_a_line_longer_than_a_chunk_is_yielded_whole(tmp_path: Path) -> None:
    path = tmp_path / "wide.log"
    path.write_bytes(b"a\n" + b"x" * 50 + b"\nb\n")

    chunks = follow(path, chunk_bytes=8)

    assert [chunk.data for chunk in chunks] == [b"a\n", b"x" * 50 + b"\nb\n"]


def test_a_line_longer_than_the_limit_comes_in_pieces(tmp_path: Path) -> None:
    """The cuts are at multiples of the limit, whenever the bytes came, and the rest is joined as ever."""
    path = tmp_path / "wide.log"
    path.write_bytes(b"a\n" + b"x" * 70)

    chunks = follow(path, append(path, b"y" * 10), append(path, b"\n"), longest_line_bytes=32, chunk_bytes=8)

    assert [chunk.data for chunk in chunks] == [b"a\n", b"x" * 32, b"x" * 32, b"x" * 6 + b"y" * 10 + b"\n"]


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(log: Path) -> None:
    def rotate() -> None:
        append(log, b"last\n")()
        log.rename(log.with_suffix(".1"))
        log.write_bytes(b"first\n")

    chunks = follow(log, rotate)

    assert [chunk.data for chunk in chunks] == [b"one\n", b"last\n", b"first\n"]
    assert events(chunks) == ["rotated"]


def test_lines_that_a_slow_writer_adds_to_the_renamed_file_are_read(log: Path) -> None:
    old = log.with_suffix(".1")
    clock = FakeClock()

    def rotate() -> None:
        log.rename(old)
        log.write_bytes(b"new\n")

    actions = (rotate, lambda: clock.advance(50), append(old, b"late\n"), lambda: clock.advance(59))
    chunks = follow(log, *actions, append(old, b"later\n"), append(log, b"newer\n"), clock=clock)

    assert data(chunks) == b"one\nnew\nlate\nlater\nnewer\n"


def test_lines_added_to_the_renamed_file_while_nobody_looked_are_read(log: Path) -> None:
    old = log.with_suffix(".1")

    def rotate() -> None:
        log.rename(old)
        log.write_bytes(b"new\n")

    before = follow(log, rotate)
    append(old, b"late\n")()
    append(log, b"newer\n")()

    assert data(follow(log, after=before)) == b"late\nnewer\n"


def test_a_renamed_file_is_let_go_when_it_was_quiet_for_the_grace_time(log: Path) -> None:
    clock = FakeClock()
    handles: list[int] = []

    def rotate() -> None:
        log.rename(log.with_suffix(".1"))
        log.write_bytes(b"new\n")

    def count() -> None:
        handles.append(handles_on(log.parent))

    chunks = follow(log, rotate, count, lambda: clock.advance(61), lambda: None, count, clock=clock)

    assert handles == [2, 1]
    assert chunks[-1].position["done"] is True


def test_many_rotations_do_not_hold_many_files(log: Path) -> None:
    handles: list[int] = []

    def rotate(number: int) -> Action:
        def act() -> None:
            log.rename(log.with_suffix(f".{number}"))
            log.write_bytes(b"%d\n" % number)
            handles.append(handles_on(log.parent))

        return act

    chunks = follow(log, *(rotate(number) for number in range(40)))

    assert data(chunks) == b"one\n" + b"".join(b"%d\n" % number for number in range(40))
    assert max(handles) <= file_following.MOST_ROTATED + 2


def test_the_unfinished_last_line_of_a_renamed_file_comes_once_and_before_the_new_file(log: Path) -> None:
    clock = FakeClock()

    def rotate() -> None:
        append(log, b"unfinished")()
        log.rename(log.with_suffix(".1"))
        log.write_bytes(b"new\n")

    actions = (rotate, lambda: clock.advance(0.9), append(log.with_suffix(".1"), b" sym"), lambda: clock.advance(0.9))
    chunks = follow(log, *actions, lambda: clock.advance(0.9), lambda: clock.advance(99), clock=clock)

    assert [chunk.data for chunk in chunks if chunk.data] == [b"one\n", b"unfinished sym", b"new\n"]


def test_the_unfinished_last_line_of_a_deleted_file_comes_once(log: Path) -> None:
    clock = FakeClock()
    handles: list[int] = []
    append(log, b"unfinished")()

    actions = (log.unlink, lambda: clock.advance(61), lambda: clock.advance(61), lambda: None)
    chunks = follow(log, *actions, lambda: handles.append(handles_on(log.parent)), clock=clock)

    assert data(chunks) == b"one\nunfinished"
    assert handles == [0]


def test_a_file_deleted_and_made_again_is_read_from_its_start(log: Path) -> None:
    def replace() -> None:
        log.unlink()
        log.write_bytes(b"another and longer\n")

    assert data(follow(log, replace)) == b"one\nanother and longer\n"


def test_a_file_deleted_and_made_again_while_nobody_looked_is_told(log: Path) -> None:
    """Also where the new file is given the inode of the old one, which file systems like to do."""
    before = follow(log)
    log.unlink()
    log.write_bytes(b"another and longer\n")

    chunks = follow(log, after=before)

    assert data(chunks) == b"another and longer\n"
    assert [event.lost_bytes for chunk in chunks for event in chunk.events] == [-1]


def test_a_truncated_file_is_read_from_its_start(log: Path) -> None:
    chunks = follow(log, append(log, b"two\n"), lambda: log.write_bytes(b"3\n"))

    assert data(chunks) == b"one\ntwo\n3\n"
    assert events(chunks) == ["truncated"]


def test_a_file_truncated_to_nothing_is_told_before_it_grows_again(log: Path) -> None:
    chunks = follow(log, lambda: log.write_bytes(b""), append(log, b"2\n"))

    told = [(chunk.data, len(chunk.events)) for chunk in chunks if chunk.position]
    assert told == [(b"one\n", 0), (b"", 1), (b"2\n", 0)]
    assert [chunk.part for chunk in chunks if not chunk.position] == [chunks[0].part]


@pytest.mark.parametrize("text", [b"two\n", b"more than there was\n"], ids=["same size", "larger"])
@pytest.mark.parametrize("live", [True, False])
def test_a_file_rewritten_between_two_looks_is_read_from_its_start(log: Path, text: bytes, *, live: bool) -> None:
    if live:
        chunks = follow(log, lambda: log.write_bytes(text))[1:]
    else:
        before = follow(log)
        log.write_bytes(text)
        chunks = follow(log, after=before)

    assert data(chunks) == text
    assert events(chunks) == ["rewritten"]


def test_a_symbolic_link_is_followed_to_its_new_target(tmp_path: Path) -> None:
    old, new, link = tmp_path / "old" / "a.log", tmp_path / "new" / "b.log", tmp_path / "link.log"
    for target in (old, new):
        target.parent.mkdir()
        target.write_bytes(target.parent.name.encode() + b"\n")
    link.symlink_to(old)

    def swap() -> None:
        append(old, b"last\n")()
        link.with_suffix(".tmp").symlink_to(new)
        link.with_suffix(".tmp").replace(link)

    assert data(follow(link, swap)) == b"old\nlast\nnew\n"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "fifo"])
def test_what_is_no_file_is_told_once_and_waited_out(log: Path, make: Callable[[Path], None]) -> None:
    def replace() -> None:
        log.rename(log.with_suffix(".1"))
        make(log)

    def restore() -> None:
        log.rename(log.with_suffix(".d"))
        log.write_bytes(b"two\n")

    chunks = follow(log, replace, lambda: None, lambda: None, restore)

    assert data(chunks) == b"one\ntwo\n"
    assert events(chunks) == ["waiting", "rotated"]


class Denied:
    """Takes the right to read away and gives it back. Injected, because tests may run as root."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.denied = True
        monkeypatch.setattr(file_following, "signature_at", self)

    def __call__(self, path: str) -> Signature:
        if self.denied:
            raise PermissionError(13, "Permission denied", path)
        return signature_at(path)

    def restore(self) -> None:
        self.denied = False


def test_reading_goes_on_at_its_offset_when_a_lost_permission_is_back(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = follow(log)
    append(log, b"two\n")()
    denied = Denied(monkeypatch)

    chunks = follow(log, lambda: None, lambda: None, denied.restore, after=before)

    assert [(chunk.data, len(chunk.events)) for chunk in chunks] == [(b"", 1), (b"two\n", 0)]
    assert chunks[0].position == before[-1].position
    assert events(chunks) == ["unreadable"]


def test_a_file_that_cannot_be_opened_at_first_is_not_read_from_its_start_later(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = Denied(monkeypatch)
    first, *_ = follow(log, from_start=False)
    denied.restore()

    assert data(follow(log, append(log, b"two\n"), after=[first], from_start=False)) == b"two\n"


def test_a_file_renamed_while_nobody_looked_is_read_on_under_its_new_name(log: Path) -> None:
    before = follow(log)
    append(log, b"two\n")()
    log.rename(log.with_suffix(".1"))
    log.write_bytes(b"new\n")

    chunks = follow(log, after=before)

    assert [chunk.data for chunk in chunks] == [b"two\n", b"new\n"]
    assert events(chunks) == []


def test_the_same_bytes_in_another_file_are_not_read_again(log: Path) -> None:
    """A disk that comes back under another device number, a directory restored from a copy."""
    before = follow(log)
    copy = log.with_suffix(".copy")
    copy.write_bytes(log.read_bytes() + b"two\n")
    copy.replace(log)

    assert data(follow(log, after=before)) == b"two\n"


def test_a_position_is_kept_while_its_file_cannot_be_found(log: Path) -> None:
    """The disk of a log may be mounted after we start."""
    before = follow(log)
    away = log.parent.with_name("away")
    log.parent.rename(away)

    chunks = follow(log, lambda: away.rename(log.parent), append(log, b"two\n"), after=before)

    assert [(chunk.data, len(chunk.events)) for chunk in chunks] == [(b"", 1), (b"two\n", 0)]


def test_a_disk_that_fails_is_told_and_read_on_when_it_is_well_again(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = os.pread

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    def recover() -> None:
        monkeypatch.setattr(os, "pread", works)

    monkeypatch.setattr(os, "pread", fail)
    chunks = follow(log, lambda: None, recover)

    assert [(chunk.data, len(chunk.events)) for chunk in chunks if chunk.data or chunk.events] == [
        (b"", 1),
        (b"one\n", 0),
    ]
    assert "cannot be read (Input/output error)" in chunks[0].events[0].message
    assert handles_on(log.parent) == 0


def test_what_is_replaced_while_it_is_opened_is_not_read(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check before opening passed; the one after must catch it, and hold no handle."""
    os.mkfifo(fifo := log.with_suffix(".fifo"))
    monkeypatch.setattr("heeler.sources.file_identity.signature_at", lambda path: path)
    with pytest.raises(NotRegular):
        OpenFile(fifo)
    assert handles_on(log.parent) == 0


# The property: whatever is appended, however lines are cut, whenever the file is rotated and the reader dies, what is
# read is what was written. A reader that dies goes on from the last position it gave.
appends = st.binary(max_size=40) | st.sampled_from(
    [b"\n", b"\r\n", b"line\n", b"\r", b"\x00" * 9, b"\xff\xfe\n", b"x" * 90]
)
operations = st.lists(
    st.tuples(st.just("append"), appends)
    | st.tuples(st.sampled_from(["rotate", "look", "restart", "die"]), st.integers(0, 3)),
    max_size=30,
)


@settings(max_examples=80, deadline=None)
@example([("rotate", 0), ("die", 0), ("append", b"x"), ("rotate", 0), ("die", 0)], 1, 16)  # the first left no trace
@given(operations=operations, chunk_bytes=st.sampled_from([1, 7, 64]), longest=st.sampled_from([16, 1 << 20]))
def test_all_bytes_written_are_read_once_and_in_order(
    operations: list[tuple[str, bytes | int]], chunk_bytes: int, longest: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        path.touch()
        clock = FakeClock()
        written = b""
        stage = Stage(path, clock=clock, chunk_bytes=chunk_bytes, longest_line_bytes=longest)
        todo: list[Action] = []
        generations = 0

        def run(most: int | None) -> None:
            stage.run(*todo, most=most)
            todo.clear()

        def rotate(number: int) -> Action:
            def act() -> Awaitable[None]:
                path.rename(path.with_suffix(f".{number}"))
                path.touch()
                return clock.advance(1)

            return act

        for kind, value in operations:
            if kind == "append" and isinstance(value, bytes):
                written += value
                todo.append(append(path, value))
            elif kind == "rotate":
                generations += 1
                todo.append(rotate(generations))
            elif kind == "look":
                todo.append(lambda: clock.advance(0.4))
            elif kind == "restart":
                run(None)
            elif todo:  # what is left to happen happens while nobody looks; two rotations then would be one too many
                last = todo.pop()
                run(None)
                asyncio.run(perform(last))
                run(1 + int(value))
        run(None)
        todo.append(lambda: clock.advance(2))
        todo.append(rotate(generations + 1))
        todo += [lambda: clock.advance(2)] * 3
        run(None)

        assert stage.data == written
