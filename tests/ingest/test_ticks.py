"""Ticks: what happens between commits."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from heeler.clock import FakeClock
from heeler.errors import EnvironmentFailed
from heeler.formats.choose import PLAIN
from heeler.formats.lines import split
from heeler.ingest.ticks import PAUSE_SECONDS, Ticks
from heeler.store import Batch, Completed, Tick
from heeler.store.lake import Lake
from heeler.store.upkeep import Upkeep

ROOM, NO_ROOM = (10**12, 0, 10**12), (10**12, 10**12, 0)


def test_a_full_disk_stops_commits_until_there_is_room_and_both_are_said(tmp_path: Path) -> None:
    usage = [NO_ROOM]
    notices: list[str] = []
    clock = FakeClock(1_790_000_000_000_000)
    said = asyncio.Event()

    def notice(text: str) -> None:
        notices.append(text)
        said.set()

    async def scenario(lake: Lake, writer: ThreadPoolExecutor) -> None:
        ticks = Ticks(lake, writer, clock, notice, upkeep=Upkeep(lake, usage=lambda _: usage[0]))
        writes = asyncio.create_task(ticks.write())
        await ticks.put([one_batch(lake)])
        ticks.end()
        async with asyncio.timeout(30):
            await said.wait()
        assert "nothing is taken in until there is room" in notices[0]
        assert lake.positions("test") == {}

        usage[0] = ROOM
        async with asyncio.timeout(30):
            while not writes.done():
                await clock.advance(PAUSE_SECONDS)
                await asyncio.to_thread(lambda: None)  # lets the event loop turn
        await writes

    with closing(Lake(tmp_path / "lake")) as lake, ThreadPoolExecutor(1) as writer:
        asyncio.run(scenario(lake, writer))
        assert lake.positions("test") == {"part": {"offset": 8}}
        copies = list((tmp_path / "lake" / "backup").iterdir())

    assert "has room again" in notices[1]
    assert copies, "after a tick the lake is looked after: its catalog is copied"


class Failing(Lake):
    """Refuses every commit."""

    tries = 0

    def commit(self, tick: Tick, completed_batches: Sequence[Completed] | None = None) -> None:
        del tick, completed_batches
        self.tries += 1
        raise EnvironmentFailed("The disk is gone.")


def one_batch(lake: Lake) -> Completed:
    data = b"one\ntwo\n"
    lake.register(PLAIN)
    records = PLAIN.parse(split(data))
    return lake.complete(Batch("test", "part", {"offset": 8}, "g", "s", PLAIN, records, 1_000_000, len(data)))


@pytest.mark.parametrize("usage", [ROOM, NO_ROOM])
def test_the_end_comes_at_once_while_what_failed_is_to_be_tried_again(
    tmp_path: Path, usage: tuple[int, int, int]
) -> None:
    """A process that is told to end has ten seconds; the clock stands still here, so no pause is waited out."""
    clock = FakeClock(1_790_000_000_000_000)

    async def scenario(lake: Failing, writer: ThreadPoolExecutor) -> None:
        said = asyncio.Event()
        upkeep = Upkeep(lake, usage=lambda _: usage)
        ticks = Ticks(lake, writer, clock, lambda _: said.set(), upkeep=upkeep, retries=True, tick_bytes=1)
        writes = asyncio.create_task(ticks.write())
        await ticks.put([one_batch(lake)])
        async with asyncio.timeout(30):
            await said.wait()
            ticks.end()
            with pytest.raises(EnvironmentFailed, match="The disk is gone" if usage is ROOM else "is not stored"):
                await writes

    with closing(Failing(tmp_path / "lake")) as lake, ThreadPoolExecutor(1) as writer:
        asyncio.run(scenario(lake, writer))
        assert lake.tries == (2 if usage is ROOM else 0)
        assert lake.positions("test") == {}


def test_without_retries_a_failed_commit_is_raised_at_once(tmp_path: Path) -> None:
    async def scenario(lake: Failing, writer: ThreadPoolExecutor) -> None:
        ticks = Ticks(lake, writer, FakeClock(1_790_000_000_000_000), lambda _: None, tick_bytes=1)
        writes = asyncio.create_task(ticks.write())
        await ticks.put([one_batch(lake)])
        async with asyncio.timeout(30):
            with pytest.raises(EnvironmentFailed, match="The disk is gone"):
                await writes

    with closing(Failing(tmp_path / "lake")) as lake, ThreadPoolExecutor(1) as writer:
        asyncio.run(scenario(lake, writer))
        assert lake.tries == 1
