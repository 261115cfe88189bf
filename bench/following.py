"""How fast many followed files are read beside one of the same size, and what thousands of idle ones cost.

    python bench/following.py [--megabytes 400] [--files 100] [--idle 5000]

First one file, then as many files with as many bytes in all, from their start to their end, each in a process of its
own; processor time counts, as the machine may be shared. Then thousands of files are followed of which ten are written
to once a second: the processor time of the process in thirty seconds is the cost of idling, and the time until a line
is handed on says how fresh they are.
"""

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from heeler.clock import SystemClock
from heeler.sources.file import FileSource

LINE = b'192.0.2.%d - - [22/Nov/2026:10:15:40 +0000] "GET /%d HTTP/1.1" 200 512 "-" "bench"\n'
ACTIVE, IDLE_SECONDS = 10, 30.0


async def read(pattern: str, size: int) -> None:
    """Read so many bytes and say what it took."""
    source, got = FileSource(pattern, clock=SystemClock(), follow=True, from_start=True), 0
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    async for chunk in source.read():
        got += len(chunk.data)
        if got >= size:
            await source.close()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{time.perf_counter() - begun} {cpu} {after.ru_maxrss / 1024}")


async def idle(folder: Path, files: int) -> None:
    """Follow many files of which a few are written to, and say what it cost and how soon lines came."""
    for number in range(files):
        (folder / f"{number}.log").touch()
    source = FileSource(folder / "*.log", clock=SystemClock(), follow=True)
    delays: list[float] = []
    discovered = asyncio.Event()
    wrote = 0.0

    async def follow() -> None:
        count = 0
        async for chunk in source.read():
            count += 1
            if count >= files:
                discovered.set()
            if chunk.data:
                delays.append(time.perf_counter() - wrote)

    follower = asyncio.create_task(follow())
    await discovered.wait()
    await asyncio.sleep(4)
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    while time.perf_counter() - begun < IDLE_SECONDS:
        wrote = time.perf_counter()
        for number in range(ACTIVE):
            with (folder / f"{number * 37}.log").open("ab") as file:
                file.write(LINE % (number, number))
        await asyncio.sleep(1)
    after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - begun
    await source.close()
    await follower
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{files:,} files, {ACTIVE} active: {cpu / seconds:.2%} of a core, a line in {max(delays):.3f} s at most")


def measured(pattern: str, size: int) -> tuple[float, float, float]:
    """Run `read` in a process of its own."""
    command = [sys.executable, __file__, "--read", pattern, "--size", str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, cpu, peak = map(float, done.stdout.split())
    return seconds, cpu, peak


def compare(folder: Path, megabytes: int, files: int) -> None:
    """Read one file and many of the same size, in turn."""
    part = b"".join(LINE % (number % 250, number) for number in range(megabytes * 1_000_000 // files // 83))
    (folder / "one").mkdir()
    (folder / "many").mkdir()
    with (folder / "one" / "a.log").open("wb") as file:
        for number in range(files):
            file.write(part)
            (folder / "many" / f"{number}.log").write_bytes(part)
    size = files * len(part)
    best: dict[str, tuple[float, float, float]] = {}
    for _ in range(5):
        for name in ("one", "many"):
            found = measured(str(folder / name / "*.log"), size)
            best[name] = min(best.get(name, found), found, key=lambda one: one[1])
    for name, (seconds, cpu, peak) in best.items():
        print(f"{name}: {size / 1e6:.0f} MB, {cpu:.2f} s of processor time, {seconds:.2f} s, peak {peak:.0f} MB")
    print(f"rate of {files} files beside one of the same size: {best['one'][1] / best['many'][1]:.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--idle", type=int, default=5000)
    parser.add_argument("--read", default="", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        asyncio.run(read(options.read, options.size))
        return
    with tempfile.TemporaryDirectory(prefix="heeler-bench-") as place:
        compare(Path(place), options.megabytes, options.files)
    with tempfile.TemporaryDirectory(prefix="heeler-bench-") as place:
        asyncio.run(idle(Path(place), options.idle))


if __name__ == "__main__":
    main()
