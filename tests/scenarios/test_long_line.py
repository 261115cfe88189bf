"""Fault 19: a line of 200 MB without a newline is stored whole, in pieces, and takes little memory."""

import subprocess
import sys
from pathlib import Path

from heeler.model import LONGEST_LINE_BYTES
from stage import Stage, append

LONG_BYTES = 200_000_000
MOST_MORE_BYTES = 32 << 20


def test_it_comes_in_pieces_of_a_megabyte_whenever_it_was_written(tmp_path: Path, *, live: bool) -> None:
    log = tmp_path / "app.log"
    log.touch()
    stage = Stage(log, chunk_bytes=8 << 20)
    stage.run()

    stage.happens(append(log, b"x" * 2_500_000), append(log, b"y" * 1_000_000 + b"\nnext\n"), live=live)

    pieces = [(len(chunk.data), chunk.piece) for chunk in stage.chunks if chunk.data]
    rest = 3_500_001 - 3 * LONGEST_LINE_BYTES
    assert pieces == [*[(LONGEST_LINE_BYTES, True)] * 3, (rest + 5, False)]
    assert stage.data == b"x" * 2_500_000 + b"y" * 1_000_000 + b"\nnext\n"


SCRIPT = """
import asyncio, resource, sys
from heeler.clock import SystemClock
from heeler.sources.file import FileSource

async def main(log):
    source, size, before = FileSource(log, clock=SystemClock(), follow=True, from_start=True), 0, 0
    async for chunk in source.read():
        before = before or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size += len(chunk.data)
        if chunk.data.endswith(b"\\n"):
            await source.close()
    print(size, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)

asyncio.run(main(sys.argv[1]))
"""


def test_two_hundred_megabytes_without_a_newline_take_little_memory(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    with log.open("wb") as file:
        for _ in range(LONG_BYTES // 1_000_000):
            file.write(b"x" * 1_000_000)
        file.write(b"\n")
    command = [sys.executable, "-c", SCRIPT, str(log)]

    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    size, more_bytes = map(int, done.stdout.split())
    assert size == LONG_BYTES + 1
    assert more_bytes < MOST_MORE_BYTES
