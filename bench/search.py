"""How fast queries are answered from a lake, beside ripgrep over the same file where it is installed.

    python bench/search.py [--lines 2000000] [--runs 5] [--lake FOLDER] [--json]

A file is generated, taken in and looked after (`heeler generate`, `ingest`, `store upkeep`), then asked. Times are
those within the process, warm: of the fastest run, as the machine may be shared. Each count of a text is compared with
ripgrep's first. The whole commands follow, as processes, cold. With ``--lake`` a lake that is there is asked, for how
the same questions grow with the data. Nothing here passes or fails; figures are printed.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from heeler.clock import SystemClock
from heeler.query.language import parse
from heeler.store.reading import LakeReader
from heeler.store.schema import RECORD_TABLES
from heeler.store.searching import Search, Wanted
from heeler.store.summing import summary

OUT = Path(__file__).parent / "out"
HEELER = [sys.executable, "-m", "heeler"]
HOUR_US = 3_600_000_000
RARE = "zq81xk7"
"""A token that stands in a few lines alone."""

RIPGREP = {
    "users/2368": ["-i", "-F", "users/2368"],
    "firefox": ["-i", "-F", "firefox"],
    "nothing_like_it": ["-i", "-F", "nothing_like_it"],
    '"GET /api"': ["-i", "-F", "GET /api"],
    "/users.2368/": ["users.2368"],
    f"={RARE}": ["-i", "-w", RARE],
}
"""Queries, and what asks ripgrep the same."""

QUERIES = (
    *RIPGREP,
    "200",
    "status:5xx firefox",
    "client:203.0.113.56",
    "client:192.0.2.0/24",
    "| every 10s count",
    "| top path",
    "firefox | top path",
    "| p99 bytes by section",
)


def main() -> None:
    """Make what is missing, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--lake", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    log = OUT / f"search-{options.lines}.log"
    lake = options.lake or OUT / f"search-{options.lines}"
    if options.lake is None:
        made(log, lake, options.lines)
    results = list(measured(lake, None if options.lake else log, options.runs))
    if options.json:
        for name, figures in results:
            print(json.dumps({"query": name, **figures}))
        return
    for name, figures in results:
        shown = "  ".join(f"{key} {value:,.4g}" for key, value in figures.items())
        print(f"{name:<40} {shown}")


def made(log: Path, lake: Path, lines: int) -> None:
    """Generate the file and the lake of it, unless they are there."""
    if not log.exists():
        part = log.with_suffix(".part")
        part.unlink(missing_ok=True)
        for seed in (1, 2):
            subprocess.run(
                [*HEELER, "generate", "--lines", str(lines // 2), "--rate", "100", "--seed", str(seed), str(part)],
                check=True,
            )
            with part.open("a") as out:
                out.write(f'198.51.100.77 - - [25/Nov/2026:13:05:1{seed} +0000] "GET /{RARE} HTTP/1.1" 200 5 "-" "-"\n')
        part.rename(log)
    if not lake.exists():
        subprocess.run([*HEELER, "ingest", "--store", f"lake:{lake}", "--stream", "web", str(log)], check=True)
        subprocess.run([*HEELER, "store", "upkeep", f"lake:{lake}"], check=True)


def measured(lake: Path, log: Path | None, runs: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what was asked, and seconds and counts of it."""
    with closing(LakeReader(lake)) as reader:
        yield "records", {"records": sum(piece.rows for piece in reader.pieces(list(RECORD_TABLES)))}
        for text in QUERIES:
            seconds, found = fastest(lambda text=text: answer(reader, text), runs)  # type: ignore[misc]  # bound at once
            figures = {"seconds": seconds, "found": found}
            if log is not None and text in RIPGREP and (ripgrep := shutil.which("rg")):
                command = [ripgrep, "-c", *RIPGREP[text], str(log)]
                figures["ripgrep"], counted = fastest(lambda command=command: lines_of(command), runs)  # type: ignore[misc]
                if counted != found:
                    raise SystemExit(f"{text}: {found} found, and {counted} by ripgrep.")
            yield text, figures
        last_us = max(piece.times_us[1] for piece in reader.pieces(list(RECORD_TABLES)))
        hour = (last_us - 2 * HOUR_US, last_us - HOUR_US)
        for text in ("", "firefox"):
            seconds, found = fastest(lambda text=text: answer(reader, text, hour), runs)  # type: ignore[misc]
            yield f"an hour of time: {text or 'everything'}", {"seconds": seconds, "found": found}
        for text in ("firefox", "status:500"):
            seconds, found = fastest(lambda text=text: newest(reader, text), runs)  # type: ignore[misc]
            yield f"the newest 100: {text}", {"seconds": seconds, "found": found}
    yield "memory so far", {"MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    yield from filters(lake)
    for arguments in (["--count", "users/2368"], ["--limit", "100", "firefox"], [f"={RARE}"]):
        command = [*HEELER, "search", "--store", f"lake:{lake}", *arguments]
        seconds, _ = fastest(lambda command=command: lines_of(command), runs)  # type: ignore[misc]
        yield f"heeler search {' '.join(arguments)}", {"seconds": seconds}


def fastest(ask: Callable[[], int], runs: int) -> tuple[float, int]:
    """Return the shortest time of some runs, and the answer."""
    clock, times, found = SystemClock(), [], 0
    for _ in range(runs):
        begin = clock.monotonic()
        found = ask()
        times.append(clock.monotonic() - begin)
    return min(times), found


def answer(reader: LakeReader, text: str, span: tuple[int, int] | None = None) -> int:
    """Return how many records a query finds, or rows where it counts."""
    query = parse(text)
    since_us, until_us = span or (None, None)
    search = Search(reader, Wanted(query, time.time_ns() // 1000, since_us, until_us))
    if not query.stages:
        return search.count()
    with summary(search, query) as found:
        return sum(1 for _ in found.rows)


def newest(reader: LakeReader, text: str) -> int:
    """Return how many of the newest 100 records were found."""
    search = Search(reader, Wanted(parse(text), time.time_ns() // 1000))
    return sum(frame.height for frame in search.newest(100))


def lines_of(command: list[str]) -> int:
    """Run a command and return the number that it prints, if it prints one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEELER_")}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    found = re.match(rb"\d+", done.stdout)
    return int(found[0]) if found else 0


def filters(lake: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield how much of the segments is token filters."""
    total = size = 0
    for path in (lake / "segments").rglob("*.parquet"):
        data = path.read_bytes()
        footer = int.from_bytes(data[-8:-4], "little")
        end = len(data) - 8 - footer
        total += len(data)
        if data[end - 4 : end] == b"HLTF":
            size += int.from_bytes(data[end - 12 : end - 8], "little")
    yield "token filters", {"MB": size / 1e6, "of MB": total / 1e6, "share": size / max(total, 1)}


if __name__ == "__main__":
    main()
