"""Faults 30 and 31: thousands of files of which few are written to, and one that floods."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from heeler.clock import FakeClock
from heeler.sources import file_following
from heeler.sources.file import FileSource
from heeler.sources.file_identity import Signature, signature_at
from heeler.sources.file_set import FileSet
from stage import Stage, append

FILES = 5_000


def test_an_idle_file_costs_one_look_in_ten_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 5,000 files 500 are looked at each second; the active ones at once, as the kernel tells of them."""
    for number in range(FILES):
        (tmp_path / f"{number}.log").touch()
    looks: list[str] = []

    def look(path: str) -> Signature:
        looks.append(path)
        return signature_at(path)

    monkeypatch.setattr(file_following, "signature_at", look)
    clock = FakeClock()
    files = FileSource(tmp_path / "*.log", clock=clock, follow=True, waker=Quiet())._reader
    assert isinstance(files, FileSet)
    while files.next():
        pass
    assert len(looks) == FILES

    looks.clear()
    for _ in range(10):
        asyncio.run(clock.advance(1))
        while files.next():
            pass

    assert len(looks) == FILES
    assert len(set(looks)) == FILES
    looks.clear()
    append(tmp_path / "7.log", b"one\n")()
    files.noticed(frozenset({str(tmp_path / "7.log")}))
    chunk = files.next()
    assert chunk is not None
    assert (chunk.data, looks) == (b"one\n", [str(tmp_path / "7.log")])
    files.close()


class Quiet:
    """A waker that tells nothing."""

    trouble = ""
    is_partial = False

    def watch(self, directories: Iterable[str], concerns: Callable[[str, bool], bool]) -> None:
        """Do nothing."""

    async def wait(self, seconds: float) -> frozenset[str] | None:
        raise AssertionError(seconds)

    def told(self) -> frozenset[str] | None:
        return frozenset()

    async def close(self) -> None:
        """Do nothing."""


def test_a_file_that_floods_delays_the_others_by_a_turn_each(tmp_path: Path) -> None:
    flood, slow = tmp_path / "flood.log", [tmp_path / f"{number}.log" for number in range(50)]
    flood.write_bytes(b"x" * 99 + b"\n" + b"y" * 99 + b"\n" * 100_000)
    stage = Stage(flood, *slow, chunk_bytes=1000)
    stage.run(most=20)

    for log in slow:
        append(log, log.name.encode() + b"\n")()
    given = stage.run(most=110)

    assert sum(chunk.path != str(flood) and bool(chunk.data) for chunk in given) == 50
