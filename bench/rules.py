"""What a thousand rules cost over 100,000 lines a second, as a share of a core beside parsing alone.

    python bench/rules.py [RULES] [LINES]

CPU time of the process (user and system) is measured, in chunks of a quarter of a second each: what partials cost in
the worker threads, and what windows and evaluation cost on the event loop.
"""

import resource
import sys
import tempfile
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from heeler.formats.choose import FORMATS
from heeler.formats.lines import split
from heeler.formats.text import text_of
from heeler.query.language import parse
from heeler.rules.aggregate import aggregate
from heeler.rules.engine import Engine
from heeler.rules.limit import Limit
from heeler.rules.partial import Seen
from heeler.rules.rule import Rule
from heeler.store import Batch
from heeler.store.lake import Lake

BEGIN_S = 1_790_000_000
LINES_A_SECOND = 100_000
CHUNKS_A_SECOND = 4
SECONDS = 8
KINDS = (
    ("path:/api/item{n}", "rate"),
    ("path:/api/item{n} status:5xx", "count"),
    ("visitor{n}x", "rate"),
    ('"agent {n};" status:404', "count"),
    ("client:10.0.{n}.7", "sum bytes"),
    ("path:/shop/{n} method:GET", "p99 bytes"),
)
"""Queries and aggregates of the rules, each with a number in it: rules of a real house differ like that."""


def rules(count: int) -> list[Rule]:
    """Return so many rules of all kinds."""
    found = []
    for number in range(count):
        query, computed = KINDS[number % len(KINDS)]
        where = parse(query.format(n=number % 250)).where
        found.append(Rule(f"rule {number}", Limit(Fraction(10**9)), 60, where, aggregate(computed)))
    return found


def chunk(second: int, lines: int) -> bytes:
    """Return access lines of one second."""
    stamp = f"22/Sep/2026:00:{second // 60:02d}:{second % 60:02d} +0000"
    return b"".join(
        f'10.0.{n % 256}.{n % 9} - - [{stamp}] "GET /{("api/item", "shop/", "page/", "img/")[n % 4]}{n * 7 % 5_000} '
        f'HTTP/1.1" {(200, 200, 200, 304, 404, 500)[n % 6]} {n % 9_999} "-" "Mozilla/5.0 agent {n % 3_000};"\n'.encode()
        for n in range(lines)
    )


def cpu_s() -> float:
    """Return the CPU time that the process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    lines = int(sys.argv[2]) if len(sys.argv) > 2 else LINES_A_SECOND
    known = FORMATS["combined"]
    engine = Engine(rules(count))
    chunks = [chunk(second, lines // CHUNKS_A_SECOND) for second in range(SECONDS) for _ in range(CHUNKS_A_SECOND)]
    parsing = looking = counting = 0.0
    with tempfile.TemporaryDirectory() as folder, closing(Lake(Path(folder) / "lake")) as lake:
        lake.register(known)
        for number, data in enumerate(chunks):
            begun = cpu_s()
            records = known.parse(split(data), {*known.columns, "section"})
            batch = Batch("s", "p", {"o": number}, "web", "log", known, records, 2_000_000_000_000_000, len(data))
            rows = lake.complete(batch)
            parsed = cpu_s()
            partials = engine.partials.of(Seen(rows.rows, text_of(split(data).readable()), rows.formats))
            looked = cpu_s()
            engine.feed(partials, float(number))
            engine.advance(float(number) / CHUNKS_A_SECOND)
            parsing, looking, counting = (
                parsing + parsed - begun,
                looking + looked - parsed,
                counting + cpu_s() - looked,
            )
    if engine.partials.failed:
        raise SystemExit(str(engine.partials.failed))
    share = (looking + counting) / SECONDS
    print(f"{count:,} rules over {lines:,} lines/s: {share:.1%} of a core")
    print(f"  partials {looking / SECONDS:.1%}, windows and evaluation {counting / SECONDS:.1%}")
    print(f"  parsing the same lines {parsing / SECONDS:.1%}; rules cost {(looking + counting) / parsing:.2f} of that")


if __name__ == "__main__":
    main()
