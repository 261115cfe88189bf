"""Fault 28: many more files than may be open; none is lost, forgotten or read twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from heeler.sources import descriptors
from heeler.sources.file_identity import open_regular
from stage import Stage, append, rotate

FILES, DESCRIPTORS = 500, 64

SCRIPT = """
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]), int(sys.argv[2])))
from heeler.clock import SystemClock
from heeler.sources.file import FileSource

async def main(pattern, lines):
    source, seen = FileSource(pattern, clock=SystemClock(), follow=True, from_start=True), []
    async for chunk in source.read():
        seen += chunk.data.splitlines()
        if len(seen) >= lines:
            await source.close()
    print(len(seen), len(set(seen)), len([e for e in chunk.events]))

asyncio.run(main(sys.argv[1], int(sys.argv[3])))
"""


def test_five_hundred_files_are_followed_with_64_descriptors(tmp_path: Path) -> None:
    for number in range(FILES):
        (tmp_path / f"{number}.log").write_bytes(b"%d\n" % number)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "*.log"), str(DESCRIPTORS), str(FILES)]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert (done.stdout, done.stderr) == (f"{FILES} {FILES} 0\n", "")


def test_files_that_are_closed_for_a_while_lose_nothing_by_rotation(tmp_path: Path, *, live: bool) -> None:
    logs = [tmp_path / f"{name}.log" for name in "abcdefgh"]
    stage = Stage(*logs, most_open=2)
    stage.run()

    rounds = [
        action
        for number in range(5)
        for log in logs
        for action in (append(log, b"%d %s\n" % (number, log.name.encode())), rotate(log))
    ]
    if live:
        stage.run(*rounds, lambda: None)
    else:
        stage.happens(*rounds, live=False)

    for log in logs:
        assert stage.of(log) == b"".join(b"%d %s\n" % (number, log.name.encode()) for number in range(5))


def test_where_nothing_can_be_opened_it_is_told_and_tried_again(
    log: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> int:
        raise OSError(24, "Too many open files")

    append(log, b"two\n")()
    monkeypatch.setattr(descriptors, "open_regular", exhausted)

    stage.run(lambda: None, lambda: None, lambda: monkeypatch.setattr(descriptors, "open_regular", open_regular))

    assert stage.data == b"one\ntwo\n"
    assert stage.events == ["unreadable"]
