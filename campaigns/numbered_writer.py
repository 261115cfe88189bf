"""The process that campaigns kill: it follows a log of numbered lines into a lake, and looks after the lake.

    python campaigns/numbered_writer.py LAKE LOG SEED [--die-at STEP --die-after COUNT]

It says ``ready`` when it reads, and after each commit how many the last stored line was. With ``--die-at`` it kills
itself, as an operator would, when that step of a commit or of upkeep comes for the given time.
"""

import argparse
import asyncio
import os
import random
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numbered
from heeler.clock import SystemClock
from heeler.formats.lines import split
from heeler.model import Chunk
from heeler.sources.file import FileSource
from heeler.store import Batch, Tick, plan
from heeler.store.lake import Lake
from heeler.store.retention import Keep
from heeler.store.upkeep import Upkeep

FEWEST_SEGMENT_ROWS = 200
"""Smaller than in use, so that most runs write segments as well as blobs."""

EVERYTHING_EVERY = 20
HOUR_US = 3_600_000_000


def main() -> None:
    """Store lines until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("lake", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("seed", type=int)
    parser.add_argument("--die-at", default="")
    parser.add_argument("--die-after", type=int, default=1)
    options = parser.parse_args()
    plan.FEWEST_SEGMENT_ROWS = FEWEST_SEGMENT_ROWS
    asyncio.run(store(options.lake, options.log, random.Random(options.seed), dying(options)))


def dying(options: argparse.Namespace) -> Callable[[str], None]:
    """Return what kills this process at a step."""
    left = options.die_after

    def at_step(name: str) -> None:
        nonlocal left
        left -= name == options.die_at
        if left == 0:
            say(f"died {name}")
            os.kill(os.getpid(), signal.SIGKILL)

    return at_step


def say(what: str) -> None:
    """Tell whoever listens, at once."""
    sys.stdout.write(what + "\n")
    sys.stdout.flush()


async def store(folder: Path, log: Path, chance: random.Random, at_step: Callable[[str], None]) -> None:
    """Follow ``log`` into the lake in ``folder``; each chunk is a tick, and upkeep goes on in between."""
    clock = SystemClock()
    lake = Lake(folder, at_step)
    upkeep = Upkeep(lake, Keep(age_us=0, bytes=0))
    source = FileSource(
        log,
        clock=clock,
        follow=True,
        from_start=True,
        positions=lake.positions("file"),
        chunk_bytes=chance.choice([500, 5_000, 100_000]),
    )
    say("ready")
    ticks = 0
    async for chunk in source.read():
        lake.commit(Tick((batch_of(chunk),)))
        await source.committed({chunk.part: chunk.position})
        if chunk.data:
            say(f"stored {last_number(chunk.data)}")
        ticks += 1
        # Hours pass between two looks, so that every chore is due.
        now_us = clock.now_us() + ticks * 2 * HOUR_US
        upkeep.step(now_us, budget_s=0.0)
        if ticks % EVERYTHING_EVERY == EVERYTHING_EVERY // 2:
            for _ in upkeep.everything(now_us):
                pass


def batch_of(chunk: Chunk) -> Batch:
    """Return a chunk as a batch of numbered lines."""
    records = numbered.FORMAT.parse(split(chunk.data), {*numbered.FORMAT.columns, "section"})
    return Batch(
        source="file",
        part=chunk.part,
        position=chunk.position,
        group=numbered.GROUP,
        stream=numbered.STREAM,
        format=numbered.FORMAT,
        records=records,
        received_us=chunk.received_us,
        bytes=len(chunk.data),
    )


def last_number(data: bytes) -> int:
    """Return the number of the last line in ``data``."""
    *_, match = re.finditer(numbered.NUMBER, data)
    return int(match[1] or match[2])


if __name__ == "__main__":
    main()
