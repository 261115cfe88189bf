"""Lines of the combined format, drawn and written thousands at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heeler.errors import UsageError
from heeler.generate.site import Site
from heeler.generate.traffic import Arrivals, Traffic
from heeler.generate.visitors import Visitors
from heeler.generate.words import INVALID, MALFORMED

BLOCK_LINES = 4096
"""Lines are drawn in blocks of this size whatever is asked for, or the bytes would depend on it. One takes a few
milliseconds: short enough for an event loop, long enough that the columns do the work."""

BATCH_LINES = 16_384
"""About 3.7 MB."""

LONGEST_STUMP = 40
"""Where a line is cut off at the latest: before its request, so that what is left is valid in no access-log format."""


@dataclass(frozen=True, slots=True)
class Block:
    """`BLOCK_LINES` lines in the order of their event times, in UTC microseconds. Lines have no newline yet."""

    due_us: NDArray[np.int64]
    lines: pl.Series


def join(lines: pl.Series) -> bytes:
    """Whole lines as bytes. All are ASCII, except that invalid ones hold bytes as the characters of latin-1."""
    text: str = lines.str.join("\n").item()
    return f"{text}\n".encode("latin-1") if len(lines) else b""


def batches(traffic: Traffic, start_us: int, lines: int, *, batch_lines: int = BATCH_LINES) -> Iterator[bytes]:
    """Give the first ``lines`` lines after ``start_us`` in pieces of ``batch_lines`` whole lines.

    How they are cut into batches changes no byte of them: more lines, or others at once, continue the same traffic.
    """
    if lines < 0 or batch_lines < 1:
        raise UsageError(f"{lines} lines in batches of {batch_lines} cannot be made; 0 in batches of 1 is the least.")
    waiting: list[pl.Series] = []
    held = 0
    for block in blocks(traffic, start_us):
        taken = block.lines.head(lines)
        lines -= len(taken)
        waiting.append(taken)
        held += len(taken)
        if held >= batch_lines or not lines:
            ready = pl.concat(waiting)
            whole = held if not lines else held - held % batch_lines
            for at in range(0, whole, batch_lines):
                yield join(ready[at : min(at + batch_lines, whole)])
            waiting, held = [ready[whole:]], held - whole
        if not lines:
            return


def blocks(traffic: Traffic, start_us: int) -> Iterator[Block]:
    """Draw the traffic that starts at ``start_us``, without end."""
    random = np.random.default_rng(traffic.seed)
    site, visitors, arrivals = Site(random), Visitors(random), Arrivals(traffic)
    while True:
        due_us = start_us + (arrivals.next(random.standard_exponential(BLOCK_LINES)) * 1e6).astype(np.int64)
        visitor = visitors.draw(random, BLOCK_LINES)
        answer = site.draw(random, visitors.is_robot[visitor])
        start = pl.select(pl.concat_str(visitors.start[visitor], _stamps(due_us, traffic))).to_series()
        lines = pl.select(
            pl.concat_str(
                start,
                answer.request,
                visitors.protocol[visitor],
                answer.result,
                answer.referer,
                visitors.agent[visitor],
            )
        ).to_series()
        yield Block(due_us, _spoil(lines, start, traffic, random))


def _stamps(due_us: NDArray[np.int64], traffic: Traffic) -> pl.Series:
    """Write times as servers do: whole seconds, in the zone of the log."""
    offset = traffic.zone.utcoffset(None)
    local = pl.Series(due_us + offset // timedelta(microseconds=1)).cast(pl.Datetime("us"))
    minutes = offset // timedelta(minutes=1)
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    return local.dt.strftime(f'%d/%b/%Y:%H:%M:%S {zone}] "')


def _spoil(lines: pl.Series, start: pl.Series, traffic: Traffic, random: np.random.Generator) -> pl.Series:
    """Put malformed requests and invalid lines in the place of some lines."""
    chance = random.random(len(lines))
    malformed = np.flatnonzero(chance < traffic.malformed)
    invalid = np.flatnonzero(chance >= 1 - traffic.invalid)
    # Drawn for every block, so that the shares change the lines they hit and no others.
    words = random.integers(0, 1 << 32, len(lines))
    if not (malformed.size or invalid.size):
        return lines
    texts: dict[int, str] = {}
    for at in malformed:
        texts[int(at)] = f'{start[int(at)]}{MALFORMED[words[at] % len(MALFORMED)]}" 400 {150 + words[at] % 9} "-" "-"'
    for at in invalid:
        kind = words[at] % (len(INVALID) + 1)
        stump = lines[int(at)][: 1 + words[at] % LONGEST_STUMP]
        texts[int(at)] = stump if kind == len(INVALID) else INVALID[kind]
    return lines.scatter(list(texts), pl.Series(list(texts.values())))
