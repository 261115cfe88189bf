"""How fast lines are kept, in how much memory and space, and how soon they can be asked for.

    python bench/lake.py [--lines 2000000] [--large 20000000] [--runs 3] [--segments 2000]

Takes a generated access log into a new lake as a whole process, gives it back and compares every byte, looks after the
lake, and compares its size with what `zstd -3` makes of the log. Then, in this process: ticks of few and of many rows
in an empty lake and in one of many segments, questions, and the time from a line being written to its being found.
Nothing here passes or fails; figures are printed.
"""

import argparse
import filecmp
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

import zstandard

from measured import Run, access_log, machine, run

if TYPE_CHECKING:
    from heeler.store.reading import LakeReader

HEELER = [sys.executable, "-m", "heeler"]
IDLE_SECONDS = 10.0
_LINE = '192.0.2.7 - - [{time}] "GET /{mark} HTTP/1.1" 200 5 "-" "bench"\n'


def main() -> None:
    """Measure, and print as it goes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lines", type=int, default=2_000_000, help="lines of the file (default: %(default)s)")
    parser.add_argument("--large", type=int, default=0, help="lines of a second, larger file (default: none)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each measurement (default: %(default)s)")
    parser.add_argument("--segments", type=int, default=2000, help="segments of a full lake (default: %(default)s)")
    parser.add_argument("--marks", type=int, default=100, help="lines to wait for (default: %(default)s)")
    options = parser.parse_args()
    print(" · ".join(f"{name} {value}" for name, value in machine().items()))
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder) / "lake"
        for lines in filter(None, (options.lines, options.large)):
            keeping(access_log(lines), lines, lake, options.runs if lines == options.lines else 1)
            questions(lake, options.runs)
        ticks(Path(folder), options.segments)
        following(Path(folder), options.marks)


def keeping(log: Path, lines: int, lake: Path, runs: int) -> None:
    """Take a log in, give it back, look after it."""
    ingest = [*HEELER, "ingest", "--store", f"lake:{lake}", "--stream", "bench", "FILE"]
    taken: list[Run] = []
    for _ in range(runs):
        shutil.rmtree(lake, ignore_errors=True)
        taken.append(run(ingest, log, subprocess.DEVNULL))
    seconds = median(one.seconds for one in taken)
    print(
        f"ingest {lines:,} lines, {log.stat().st_size / 1e6:,.0f} MB: {seconds:.2f} s, {lines / seconds:,.0f} lines/s, "
        f"CPU {median(one.cpu_seconds for one in taken):.2f} s, peak {median(one.peak_mb for one in taken):,.0f} MB "
        f"(median of {runs}: {', '.join(f'{one.seconds:.2f}' for one in taken)} s)"
    )
    with tempfile.NamedTemporaryFile(dir=lake.parent) as back:
        exported = run([*HEELER, "export", "--store", f"lake:{lake}"], log, back.fileno())
        same = filecmp.cmp(log, back.name, shallow=False)
    print(f"export: {exported.seconds:.2f} s, {'every byte the same' if same else 'NOT THE SAME BYTES'}")
    before = _size(lake)
    upkeep = run([*HEELER, "store", "upkeep", f"lake:{lake}"], log, subprocess.DEVNULL)
    after, packed = _size(lake), _zstd_size(log)
    print(
        f"on disk: {before / 1e6:.1f} MB, after upkeep ({upkeep.seconds:.1f} s, peak {upkeep.peak_mb:.0f} MB) "
        f"{after / 1e6:.1f} MB; zstd -3 of the log {packed / 1e6:.1f} MB; ratio {after / packed:.2f}"
    )


def questions(lake: Path, runs: int) -> None:
    """Ask what views ask, as whole processes, whose start is named apart."""
    start = _median_of(["--version"], runs)
    for words in ("stats --every 10s", "stats --by section", "stats --by status", "streams"):
        print(
            f"{words}: {_median_of([*shlex.split(words), '--store', f'lake:{lake}'], runs):.2f} s (start {start:.2f} s)"
        )


def ticks(folder: Path, segments: int) -> None:
    """Commit ticks of 40 and of 20,000 rows in several tables, in an empty lake and in one of many segments."""
    from heeler.formats.access import ACCESS_FORMATS  # noqa: PLC0415 - the measuring process stays small until here
    from heeler.formats.choose import PLAIN  # noqa: PLC0415 - the same
    from heeler.formats.lines import split  # noqa: PLC0415 - the same
    from heeler.store import Batch, Tick  # noqa: PLC0415 - the same
    from heeler.store.lake import Lake  # noqa: PLC0415 - the same

    known = ACCESS_FORMATS["combined"]
    wanted = {*known.columns, "section"}

    def tick(number: int, rows: int) -> Tick:
        now = datetime.fromtimestamp(1_790_000_000 + number, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        access = "".join(_LINE.format(time=now, mark=f"a/{row}") for row in range(rows * 3 // 4)).encode()
        text = b"".join(b"worker %d took %d ms\n" % (row, row * 7 % 1000) for row in range(rows // 4))
        position, us = {"offset": number}, (1_790_000_000 + number) * 1_000_000
        return Tick(
            (
                Batch("bench", "a", position, "g", "a", known, known.parse(split(access), wanted), us, len(access)),
                Batch("bench", "b", position, "g", "b", PLAIN, PLAIN.parse(split(text)), us, len(text)),
            )
        )

    path = folder / "ticks"
    with closing(Lake(path)) as lake:
        number = 0
        for each in (known, PLAIN):
            lake.register(each)
        for full in (False, True):
            if full:
                while len(list((path / "segments").rglob("*.parquet"))) < segments:
                    for _ in range(50):
                        lake.commit(tick(number := number + 1, 12_000))
            for rows in (40, 20_000):
                taken = []
                for _ in range(200 if rows == 40 else 30):
                    one = tick(number := number + 1, rows)
                    done = [lake.complete(batch) for batch in one.batches]
                    started = time.perf_counter()
                    lake.commit(one, done)
                    taken.append((time.perf_counter() - started) * 1000)
                where = f"{segments:,} segments" if full else "an empty lake"
                print(
                    f"a tick of {rows:,} rows in {where}: median {median(taken):.1f} ms, "
                    f"p99 {quantiles(taken, n=100)[98]:.1f} ms"
                )


@contextmanager
def _watching(log: Path, lake: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [*HEELER, "watch", "--plain", "--store", f"lake:{lake}", str(log)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def following(folder: Path, marks: int) -> None:
    """Append lines at uneven times to a followed log, and look for each in the lake until it is there."""
    from heeler.store.catalog import FILE  # noqa: PLC0415 - the measuring process stays small until here
    from heeler.store.opening import read_store  # noqa: PLC0415 - the same

    log, lake, uneven = folder / "followed.log", folder / "followed", random.Random(1)  # noqa: S311 - no secret
    log.touch()
    taken = []
    with _watching(log, lake) as process, log.open("a") as file:
        while not (lake / FILE).exists():
            time.sleep(0.05)
        time.sleep(1)
        for mark in range(marks):
            now = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
            file.write(_LINE.format(time=now, mark=f"m{mark}"))
            file.flush()
            started = time.perf_counter()
            while not _holds(read_store(f"lake:{lake}"), mark + 1):
                time.sleep(0.01)
            taken.append(time.perf_counter() - started)
            time.sleep(uneven.random())
        before = _cpu_seconds(process.pid)
        time.sleep(IDLE_SECONDS)
        idle = (_cpu_seconds(process.pid) - before) / IDLE_SECONDS
    print(
        f"written to found: median {median(taken):.2f} s, p99 {quantiles(taken, n=100)[98]:.2f} s of {marks} lines; "
        f"idle {idle:.2%} of a core"
    )


def _holds(reader: "LakeReader", lines: int) -> bool:
    """Tell whether any reader finds so many lines: what a tick committed is there at once, and whole."""
    with closing(reader):
        return sum(stream.lines for stream in reader.streams()) >= lines


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _median_of(words: list[str], runs: int) -> float:
    return median(run([*HEELER, *words], Path(), subprocess.DEVNULL).seconds for _ in range(runs))


def _size(lake: Path) -> int:
    return sum(file.stat().st_size for file in lake.rglob("*") if file.is_file())


def _zstd_size(log: Path) -> int:
    kept = log.with_suffix(".zstd-3.json")
    if not kept.exists():
        size = 0
        with log.open("rb") as file:
            for block in zstandard.ZstdCompressor(level=3).read_to_iter(file):
                size += len(block)
        kept.write_text(json.dumps(size), encoding="utf-8")
    return int(json.loads(kept.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
