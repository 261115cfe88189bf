"""Answers commands of the same user over the socket beside the lake: status, reload, stop, and what they store."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from heeler import __version__
from heeler.daemon.intake import Intake
from heeler.daemon.packing import FormatKey, formats_in, unpacked_tick
from heeler.daemon.socket_path import FILE, listening
from heeler.daemon.wire import Head, Message, Rooms, receive
from heeler.errors import EnvironmentFailed, HeelerError
from heeler.model import Position

if TYPE_CHECKING:
    from heeler.formats import Format

Act = Callable[[], Awaitable[Head]]
"""What answers a request that takes no arguments; it may raise a `HeelerError`, whose sentence is the answer then."""

MOST_CONNECTIONS = 100

LONGEST_NAME = 100
"""So many characters of what a command calls itself are shown."""

END_SECONDS = 1.5
"""How long the last commits may take at the end before those who wait for them are left without an answer."""


class Control:
    """Serves connections while its context is open. ``acts`` are by name what else than storing can be asked."""

    def __init__(self, intake: Intake, acts: Mapping[str, Act]) -> None:
        self._intake = intake
        self._acts = acts
        self._rooms = Rooms()
        self._connections: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Future[Head]] = set()
        self._ending = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen within this context; at its end what is being committed is answered, and the socket is gone."""
        folder = self._intake.lake.folder
        server = await asyncio.start_unix_server(self._accept, sock=listening(folder))
        try:
            yield
        finally:
            self._ending = True
            server.close()
            (folder / FILE).unlink(missing_ok=True)
            if self._answering:
                await asyncio.wait(set(self._answering), timeout=END_SECONDS)
                await asyncio.sleep(0)  # the answers are written
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        session = _Session(self._intake, self._acts)
        try:
            if len(self._connections) > MOST_CONNECTIONS:
                raise EnvironmentFailed(f"{MOST_CONNECTIONS} commands are connected already; try again later.")
            while not self._ending and await self._answer(session, reader, writer):
                pass
        except HeelerError as error:  # what came is no message, so where the next one begins is not known
            writer.write(Message({"error": str(error)}).packed())
        except (ConnectionError, asyncio.CancelledError):
            pass  # whoever asked has gone, or the end has come and nobody awaits this task
        finally:
            session.end()
            writer.close()

    async def _answer(self, session: "_Session", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one message; False where none comes any more."""
        async with AsyncExitStack() as held:
            message = await receive(reader, self._rooms, held)
            if message is None:
                return False
            answering = asyncio.ensure_future(session.answer(message))
            self._answering.add(answering)  # the end waits for it
            answering.add_done_callback(self._answering.discard)
            writer.write(Message(await answering).packed())
        await writer.drain()
        return True


class _Session:
    """One connection: who is there, and the formats that it named."""

    def __init__(self, intake: Intake, acts: Mapping[str, Act]) -> None:
        self._intake = intake
        self._acts = acts
        self._who = f"a command ({id(self)})"
        self._formats: dict[FormatKey, Format] = {}
        self._ids: dict[FormatKey, int] = {}  # what the lake calls them
        self._greeted = False

    async def answer(self, message: Message) -> Head:
        """Do what is asked; a failure is a sentence under ``error``."""
        asked = str(message.head.get("do", ""))
        own = {"hello": self._hello, "positions": self._positions, "seen": self._seen, "commit": self._commit}
        try:
            if asked in own:
                if not self._greeted and asked != "hello":
                    raise EnvironmentFailed("Whoever stores something says which version it is first.")
                return await own[asked](message)
            if asked in self._acts:
                return await self._acts[asked]()
        except HeelerError as error:
            return {"error": str(error)}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return {"error": f"The request {asked!r} cannot be understood: {error!r}."}
        return {"error": f"Nobody knows how to {asked!r} here; is the process that collects of another version?"}

    def end(self) -> None:
        """Let go of what was read by whoever was here."""
        self._intake.release(self._who)

    async def _hello(self, message: Message) -> Head:
        version = message.head.get("version")
        if version != __version__:
            return {
                "error": f"Heeler {__version__} collects here (process {os.getpid()}) and this is {version}; "
                "restart it with `heeler stop` and `heeler start`."
            }
        self._who = str(message.head.get("who", self._who))[:LONGEST_NAME]
        self._greeted = True
        return {"pid": os.getpid(), "version": __version__}

    async def _positions(self, message: Message) -> Head:
        return {"positions": await self._intake.positions(self._who, str(message.head["source"]))}

    async def _seen(self, message: Message) -> Head:
        return {"seen": sorted(await self._intake.seen(str(message.head["source"]), list(message.head["keys"])))}

    async def _commit(self, message: Message) -> Head:
        for key, known in formats_in(message).items():
            if key not in self._ids:
                self._formats[key] = known
                self._ids[key] = await self._intake.in_writer(self._intake.lake.register, known)
        ready, alerts = await asyncio.to_thread(unpacked_tick, message, self._formats, self._ids)
        durable = asyncio.Event()

        async def committed(_: Mapping[str, Position]) -> None:
            durable.set()

        await self._intake.put(self._who, ready, alerts, committed=committed, awaited=True)
        await durable.wait()
        return {}
