"""Ticks: what happens between commits."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from heeler.clock import FakeClock
from heeler.formats.choose import PLAIN
from heeler.formats.lines import split
from heeler.ingest.ticks import PAUSE_SECONDS, Ticks
from heeler.store import Batch
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
        data = b"one\ntwo\n"
        batch = Batch("test", "part", {"offset": 8}, "g", "s", PLAIN, PLAIN.parse(split(data)), 1_000_000, len(data))
        lake.register(PLAIN)
        writes = asyncio.create_task(ticks.write())
        await ticks.put([lake.complete(batch)])
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
