"""Storing what is watched: together with its alerts, and not without saying so when the store fails."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from heeler.clock import SystemClock
from heeler.errors import EnvironmentFailed
from heeler.formats.choose import FORMATS
from heeler.formats.timestamps import Receipt
from heeler.ingest.watched import WatchStore
from heeler.model import Chunk
from heeler.query.language import parse
from heeler.store import AlertRow
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader

LINE = b'10.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /a/x HTTP/1.1" 200 5 "-" "curl"\n'
ALERT = AlertRow("high traffic", "triggered", 13, 1_000_000, 0)
COMBINED = FORMATS["combined"]


def test_everything_is_durable_at_the_end_even_a_position_without_lines(tmp_path: Path) -> None:
    async def watch(store: WatchStore) -> None:
        async with asyncio.timeout(20), store.writing():
            await store.put(Chunk("/a.log", LINE, {"offset": 1}, 7), COMBINED, Receipt(7), [ALERT])
            await store.put(Chunk("/a.log", b"", {"offset": 2}, 8), COMBINED, Receipt(7), [])
            await store.put(Chunk("/b.log", b"", {"offset": 3}, 9), COMBINED, Receipt(7), [])

    with closing(Lake(tmp_path)) as lake:
        asyncio.run(watch(WatchStore(lake, SystemClock(), print)))
        assert WatchStore(lake, SystemClock(), print).positions == {"/a.log": {"offset": 2}, "/b.log": {"offset": 3}}
        assert lake.catalog.execute("select rule, hits from alert").fetchall() == [("high traffic", 13)]
    with closing(LakeReader(tmp_path)) as reader:
        assert b"".join(reader.export(parse("stream:/a.log"))) == LINE


def test_a_store_that_fails_ends_the_watch_with_its_sentence(tmp_path: Path) -> None:
    def full(step: str) -> None:
        if step == "transaction begins":
            raise OSError(28, "No space left on device")

    async def watch(store: WatchStore) -> None:
        async with asyncio.timeout(20), store.writing():
            await store.put(Chunk("/a.log", LINE, {"offset": 1}, 7), COMBINED, Receipt(7), [])
            await asyncio.Event().wait()

    with closing(Lake(tmp_path, full)) as lake, pytest.raises(EnvironmentFailed, match="No space left on device"):
        asyncio.run(watch(WatchStore(lake, SystemClock(), print)))
