"""A syslog source that listens on the loopback, read by somebody who keeps everything: for tests and campaigns."""

import asyncio
import subprocess
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from heeler.clock import Clock, SystemClock
from heeler.model import Chunk, SourceEvent
from heeler.sources import SourceContext
from heeler.sources.syslog import SyslogSettings, SyslogSource

PATIENCE_S = 60.0


class Listening:
    """A source that runs, and what it gave."""

    def __init__(self, settings: SyslogSettings, clock: Clock) -> None:
        self.notices: list[str] = []
        self.chunks: list[Chunk] = []
        self.take: Callable[[Chunk], None] = self.chunks.append
        """What is done with a chunk."""
        self.source = SyslogSource(settings, SourceContext("net", clock, {}, self._seen, self.notices.append))
        self._changed = asyncio.Condition()
        self._reading: asyncio.Task[None] | None = None

    async def start(self, *, read: bool = True) -> None:
        """Listen, and read unless told otherwise."""
        await self.source.start()
        if read:
            self.read()

    def read(self) -> None:
        """Begin to take what comes."""
        self._reading = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """Close the source and take what is left."""
        await self.source.close()
        if self._reading is None:
            self.read()
        if self._reading:
            await asyncio.wait_for(self._reading, PATIENCE_S)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until a chunk makes something true."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(happened), PATIENCE_S)

    async def until_lines(self, count: int) -> list[bytes]:
        """Wait for so many lines, and return them."""
        await self.until(lambda: sum(chunk.data.count(b"\n") for chunk in self.chunks) >= count)
        return self.lines

    @property
    def lines(self) -> list[bytes]:
        """All lines so far, without their ends."""
        return b"".join(chunk.data for chunk in self.chunks).split(b"\n")[:-1]

    @property
    def events(self) -> list[SourceEvent]:
        """All events so far."""
        return [event for chunk in self.chunks for event in chunk.events]

    @property
    def udp(self) -> tuple[str, int]:
        """Where datagrams go."""
        assert self.source.udp
        return self.source.udp.address

    @property
    def tcp(self) -> tuple[str, int]:
        """Where connections go."""
        return self.source.tcp[0].address

    async def _read(self) -> None:
        async for chunk in self.source.read():
            async with self._changed:
                self.take(chunk)
                self._changed.notify_all()

    async def _seen(self, keys: Sequence[str]) -> frozenset[str]:
        raise AssertionError(f"syslog has no keys, but {keys} were asked for")


@asynccontextmanager
async def listening(*, clock: Clock | None = None, read: bool = True, **settings: object) -> AsyncIterator[Listening]:
    """Run a source with these settings; a port of 0 is one that is free."""
    one = Listening(SyslogSettings.model_validate({"kind": "syslog", **settings}), clock or SystemClock())
    await one.start(read=read)
    try:
        yield one
    finally:
        await one.stop()


async def soon(happened: Callable[[], bool]) -> None:
    """Wait until something that nobody announces is true."""
    async with asyncio.timeout(PATIENCE_S):
        while not happened():  # noqa: ASYNC110 - what is waited for knows nothing of us
            await asyncio.sleep(0.01)


def authority(folder: Path, name: str = "authority") -> Path:
    """Make a certificate to sign others with, a PEM file; its key lies beside it."""
    path = folder / f"{name}.pem"
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", f"/CN={name}", "-keyout", f"{path}.key", "-out", str(path))  # fmt: skip
    return path


def certificate(folder: Path, name: str, signed_by: Path) -> Path:
    """Make a certificate for 127.0.0.1, signed by an authority. Returns a PEM file that holds its key too."""
    path, request = folder / f"{name}.pem", folder / f"{name}.csr"
    _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
             "-keyout", f"{path}.key", "-out", str(request))  # fmt: skip
    extensions, serial = folder / f"{name}.ext", str(2 + zlib.crc32(name.encode()))
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl("x509", "-req", "-in", str(request), "-CA", str(signed_by), "-CAkey", f"{signed_by}.key", "-days", "2",
             "-set_serial", serial, "-extfile", str(extensions), "-out", str(path))  # fmt: skip
    path.write_bytes(path.read_bytes() + Path(f"{path}.key").read_bytes())
    return path


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
