"""Requests into a lake: what is acknowledged is found in it, and what is sent again after a restart is there once."""

import asyncio
import json
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from committing import until
from heeler.clock import SystemClock
from heeler.formats.choose import FORMATS
from heeler.formats.timestamps import Receipt
from heeler.ingest.chunk import Destination
from heeler.query.language import parse
from heeler.sources import SourceContext
from heeler.sources.http import HttpSettings, HttpSource
from heeler.store import Tick
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader

FRAME = b"83 <40>1 2012-11-30T06:45:29+00:00 host app web.3 - State changed from starting to up\n"
DOCUMENTS = b'{"create":{"_index":"shop"}}\n{"@timestamp":"2026-11-22T10:15:40Z","message":"one"}\n' * 3


class Daemon:
    """A source, a lake, and what stands between them: each chunk is a tick of its own."""

    def __init__(self, lake: Lake, writer: ThreadPoolExecutor) -> None:
        self._lake, self._writer = lake, writer
        self.positions = lake.positions("web")
        self.refuses_to_commit = False

    async def seen(self, keys: Sequence[str]) -> frozenset[str]:
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._lake.seen, "web", keys)

    async def run(self, source: HttpSource) -> None:
        loop = asyncio.get_running_loop()
        async for chunk in source.read():
            if self.refuses_to_commit:
                continue
            known = FORMATS["heroku_drain" if chunk.data.startswith(b"<") else "json"]
            await loop.run_in_executor(self._writer, self._lake.register, known)
            destination = Destination(self._lake, "web", "default", "", known, Receipt(chunk.received_us))
            ready = await loop.run_in_executor(self._writer, destination.parse, chunk)
            tick = Tick((ready.completed.batch,), ())
            await loop.run_in_executor(self._writer, self._lake.commit, tick, [ready.completed])
            await source.committed({chunk.part: chunk.position})


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - of our own listener
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - the same
        return int(answer.status)


def send(folder: Path, requests: Sequence[tuple[str, bytes, dict[str, str]]], *, killed: bool = False) -> list[int]:
    """Run a listener over the lake in ``folder``, send, and stop; ``killed``: before anything of it is committed."""

    async def run(lake: Lake, writer: ThreadPoolExecutor) -> list[int]:
        daemon = Daemon(lake, writer)
        daemon.refuses_to_commit = killed
        context = SourceContext("web", SystemClock(), daemon.positions, daemon.seen, lambda _: None)
        source = HttpSettings(listen="127.0.0.1:0").open(context)
        task = asyncio.create_task(daemon.run(source))
        await until(lambda: source.port > 0)
        statuses: list[int] = []
        for path, body, headers in requests:
            url = f"http://127.0.0.1:{source.port}{path}"
            sending = asyncio.create_task(asyncio.to_thread(post, url, body, headers))
            if killed:
                await until(lambda: (source.health().lag_bytes or 0) > 0)
                task.cancel()
                source._listener.close()
                for connection in list(source._listener._connections):
                    connection.expire()
                await asyncio.gather(sending, task, return_exceptions=True)
                return statuses
            statuses.append(await sending)
        await source.close()
        await task
        return statuses

    with closing(Lake(folder)) as lake, ThreadPoolExecutor(1) as writer:
        return asyncio.run(run(lake, writer))


def stored(folder: Path, query: str = "") -> bytes:
    with closing(LakeReader(folder)) as reader:
        return b"".join(reader.export(parse(query)))


def test_what_is_acknowledged_is_in_the_lake_and_what_is_sent_again_is_there_once(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    frame = ("/logplex?group=hoge", FRAME * 2, {"Logplex-Frame-Id": "3f"})
    bulk = ("/_bulk", DOCUMENTS, {"Content-Type": "application/x-ndjson"})

    assert send(folder, [frame], killed=True) == []
    assert stored(folder) == b""
    assert send(folder, [frame, bulk, frame]) == [204, 200, 204]
    assert send(folder, [bulk, frame, ("/json", b'{"message":"two"}', {})]) == [200, 204, 204]

    assert stored(folder, "group:hoge") == FRAME.partition(b" ")[2] * 2
    assert [json.loads(line)["message"] for line in stored(folder, "group:shop").splitlines()] == ["one"] * 3
    assert stored(folder, "group:default") == b'{"message":"two"}\n'
    assert stored(folder, "stream:web.3 changed") == FRAME.partition(b" ")[2] * 2
    with closing(Lake(folder)) as lake:
        assert lake.positions("web") == {"listener": {"batch": 3}}
