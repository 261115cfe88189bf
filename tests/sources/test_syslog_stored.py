"""What a source of syslog gives can be stored: lines with a gap between them, and no positions, as there are none."""

import asyncio
import socket
from contextlib import closing
from pathlib import Path

from heeler.clock import SystemClock
from heeler.formats.choose import FORMATS
from heeler.formats.timestamps import Receipt
from heeler.ingest.watched import WatchStore
from heeler.query.language import parse
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from syslog_listening import Listening, listening

MESSAGES = [b"<%d>1 2026-11-25T10:00:0%dZ web%d app 1 - - hello" % (number, number, number) for number in range(1, 6)]


def test_lines_are_stored_without_positions_and_found_by_their_host(tmp_path: Path) -> None:
    async def receive() -> Listening:
        async with listening(tcp="0", max_message="1kB") as one:
            with socket.create_connection(one.tcp) as sender:
                sender.sendall(b"\n".join(MESSAGES) + b"\n" + b"x" * 3000 + b"\n")
                await one.until_lines(6)
        return one

    async def store(one: Listening, store: WatchStore) -> None:
        async with asyncio.timeout(20), store.writing():
            for chunk in one.chunks:
                await store.put(chunk, FORMATS["rfc5424"], Receipt(chunk.received_us), [])

    one = asyncio.run(receive())
    with closing(Lake(tmp_path)) as lake:
        asyncio.run(store(one, WatchStore(lake, SystemClock(), print)))
        assert WatchStore(lake, SystemClock(), print).positions == {}
    with closing(LakeReader(tmp_path)) as reader:
        stored = b"".join(reader.export(parse("stream:127.0.0.1")))
        assert stored.split(b"\n")[:5] == MESSAGES
        assert b"x" * 1000 in stored
        assert b"".join(reader.export(parse("host:web3"))) == MESSAGES[2] + b"\n"
