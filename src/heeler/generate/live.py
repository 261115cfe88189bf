"""Traffic as it happens: each line is written when its time has come."""

import math
from collections.abc import Callable

import numpy as np

from heeler.clock import Clock
from heeler.generate.lines import blocks, join
from heeler.generate.traffic import Traffic

WRITE_EVERY_S = 0.1
"""Servers flush their logs several times a second; a reader sees lines arrive in small groups."""


async def write_live(
    traffic: Traffic,
    clock: Clock,
    write: Callable[[bytes], object],
    *,
    seconds: float = math.inf,
    lines: float = math.inf,
) -> int:
    """Write the traffic that starts now, each line within `WRITE_EVERY_S` of its time, and return how many there were.

    ``write`` is called with whole lines in order and must not block for long. Ends after ``seconds`` or ``lines``,
    whichever comes first, or when cancelled; nothing is held back then, as nothing is written ahead of its time.
    """
    start = clock.monotonic()
    # Event time follows the monotonic clock from here on, so that a wall clock set back repeats no second.
    start_us = clock.now_us()
    written = 0
    for block in blocks(traffic, start_us):
        due_s = (block.due_us - start_us) / 1e6
        at = 0
        while at < len(due_s):
            elapsed = clock.monotonic() - start
            until = int(np.searchsorted(due_s, min(elapsed, seconds), side="right"))
            until = min(until, at + int(min(lines - written, len(due_s))))
            if until > at:
                write(join(block.lines[at:until]))
                written += until - at
                at = until
            if written >= lines:
                return written
            if at < len(due_s):
                if elapsed >= seconds:
                    return written
                await clock.sleep(min(WRITE_EVERY_S, seconds - elapsed))
        await clock.sleep(0)  # far behind, whole blocks are due: let others run in between
    return written
