"""The socket beside a lake: who is answered what, whatever comes over it, and what a command stores through it."""

import asyncio
import contextlib
import json
import random
import socket
import stat
import struct
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from batches import batch, stored

from heeler import __version__
from heeler.clock import SystemClock
from heeler.daemon import control, wire
from heeler.daemon.control import Control
from heeler.daemon.intake import Intake
from heeler.daemon.packing import packed_tick
from heeler.daemon.remote import RemoteStore
from heeler.daemon.socket_path import FILE, connect
from heeler.daemon.wire import Head, Message, request
from heeler.errors import EnvironmentFailed
from heeler.store import AlertRow, Tick
from heeler.store.lake import Lake

HELLO = {"do": "hello", "who": "`heeler ingest` (process 7)", "version": __version__}


def serving(folder: Path, scenario: Callable[[Intake], Awaitable[None]]) -> None:
    """Run ``scenario`` while a lake in ``folder`` is reached over its socket."""

    async def state() -> Head:
        return {"state": "collecting"}

    async def main() -> None:
        with closing(Lake(folder)) as lake:
            async with (
                Intake(lake, SystemClock(), lambda _: None).open() as intake,
                Control(intake, {"status": state}).open(),
            ):
                await scenario(intake)

    asyncio.run(main())


def asked(connection: socket.socket, head: Head, *blobs: bytes) -> Head:
    return request(connection, Message(head, blobs)).head


def test_a_command_stores_through_the_process_that_collects(tmp_path: Path) -> None:
    def command() -> None:
        with closing(RemoteStore(tmp_path, "heeler ingest")) as store:
            assert store.positions("file") == {}
            first = replace(batch(b"one\n", keys=["a", "b"]), received_us=SystemClock().now_us())  # keys grow old
            store.register(first.format)
            store.commit(Tick((first,), (AlertRow("traffic", "raised", 9, 1, 0),)))
            assert stored(tmp_path) == b"one\n", "it is durable when the answer comes"
            assert store.positions("file") == {"part": {"offset": 4}}
            assert store.seen("file", ["b", "c"]) == {"b"}
            store.commit(Tick((), (AlertRow("traffic", "recovered", 1, 2, 0),)))
            store.commit(Tick((batch(b"two\n", position={"offset": 8}),)))

    async def scenario(_: Intake) -> None:
        await asyncio.to_thread(command)
        assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600

    serving(tmp_path, scenario)
    assert stored(tmp_path) == b"one\ntwo\n"
    assert not (tmp_path / FILE).exists()
    with closing(Lake(tmp_path)) as lake:
        assert lake.catalog.execute("select state from alert order by time").fetchall() == [("raised",), ("recovered",)]


def test_a_tick_too_large_for_one_message_goes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heeler.daemon.remote.PIECE_BYTES", 500)
    texts = [b"%d\n" % number * 20 for number in range(9)]

    def command() -> None:
        with closing(RemoteStore(tmp_path, "heeler ingest")) as store:
            parts = [batch(text, part=f"part {number}") for number, text in enumerate(texts)]
            store.commit(Tick(tuple(parts), (AlertRow("traffic", "raised", 9, 1, 0),)))

    async def scenario(_: Intake) -> None:
        await asyncio.to_thread(command)

    serving(tmp_path, scenario)
    assert sorted(stored(tmp_path).splitlines()) == sorted(b"".join(texts).splitlines())


def test_another_version_is_refused_and_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(_: Intake) -> None:
        monkeypatch.setattr("heeler.daemon.remote.__version__", "0.0.1")
        with pytest.raises(EnvironmentFailed, match=r"this is 0\.0\.1; restart it with `heeler stop`"):
            await asyncio.to_thread(RemoteStore, tmp_path, "heeler ingest")

    serving(tmp_path, scenario)


def test_where_nobody_listens_a_connection_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefusedError):
        connect(tmp_path)
    with socket.socket(socket.AF_UNIX) as dead:  # a process that was killed leaves its socket there
        dead.bind(str(tmp_path / FILE))
    with pytest.raises(ConnectionRefusedError):
        connect(tmp_path)

    async def scenario(_: Intake) -> None:
        with await asyncio.to_thread(connect, tmp_path) as connection:
            await asyncio.to_thread(asked, connection, {"do": "status"})

    serving(tmp_path, scenario)


def test_a_lake_with_a_long_path_is_reached(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 120)
    folder.mkdir()

    async def scenario(_: Intake) -> None:
        with await asyncio.to_thread(connect, folder) as connection:
            assert (await asyncio.to_thread(asked, connection, {"do": "status"}))["state"] == "collecting"

    serving(folder, scenario)


def tick(**changes: object) -> Message:
    """Return a tick in which something is not as it should be: a field of the batch, or its frames."""
    from heeler.store.records import complete  # noqa: PLC0415 - beside its one use

    packed = packed_tick([complete(batch(b"one\n"), [1])], [])
    blobs = changes.pop("blobs", packed.blobs)
    assert isinstance(blobs, tuple)
    alerts = changes.pop("alerts", [])
    return Message({"do": "commit", "batches": [packed.head["batches"][0] | changes], "alerts": alerts}, blobs)


WRONG_TICKS = [
    Message({"do": "commit"}),
    Message({"do": "commit", "batches": 1, "alerts": []}),
    Message({"do": "commit", "batches": ["x"], "alerts": []}),
    tick(blobs=()),
    tick(blobs=(b"no frame",)),
    tick(frames=["counted hits"]),
    tick(frames=["rows", "counted hits"], blobs=tick().blobs * 2),
    tick(frames=["rows", "counted nothing"], blobs=tick().blobs * 2),
    tick(formats=[]),
    tick(formats=[[1, "plain", "access", "plain"]]),
    tick(formats=[[1, "odd", "log", '{"kind": "nothing"}']]),
    tick(formats=[[2, "plain", "log", "plain"]]),
    tick(stream="half a character \ud800"),
    tick(position={"offset": 2**70}),
    tick(received_us=2**70),
    tick(source=None),
    tick(received_us="yesterday"),
    tick(bytes=[]),
    tick(position=7),
    tick(keys=[1]),
    tick(events=[{"what": "x"}]),
    tick(alerts=[{"rule": "x"}]),
    tick(alerts=[{"rule": "x", "state": None, "hits": 1, "time_us": 1, "zone_minutes": 1}]),
    Message({"do": "positions"}),
    Message({"do": "seen", "source": "x", "keys": 7}),
    Message({"do": "dance"}),
    Message({"do": ["commit"]}),
    Message({}),
]


def test_what_is_wrong_is_refused_with_a_sentence_and_harms_nobody(tmp_path: Path) -> None:
    def hostile() -> None:
        with connect(tmp_path) as connection:
            with pytest.raises(EnvironmentFailed, match="says which version"):
                asked(connection, {"do": "positions", "source": "file"})
            asked(connection, HELLO)
            for message in WRONG_TICKS:
                with pytest.raises(EnvironmentFailed, match=r"cannot be understood|Nobody knows|has no field"):
                    request(connection, message)
            request(connection, tick())

    async def scenario(_: Intake) -> None:
        await asyncio.to_thread(hostile)

    serving(tmp_path, scenario)
    assert stored(tmp_path) == b"one\n"


def test_any_bytes_over_the_socket_leave_everybody_else_alone(tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311 - seeded chance is no secret
    good = tick().packed()

    def hostile() -> None:
        for _ in range(150):
            packed = bytearray(good)
            for _ in range(chance.randrange(1, 6)):
                packed[chance.randrange(len(packed))] = chance.randrange(256)
            with connect(tmp_path) as connection, contextlib.suppress(EnvironmentFailed, OSError):
                asked(connection, HELLO)
                connection.sendall(packed[: chance.randrange(len(packed))])
                connection.shutdown(socket.SHUT_WR)
                connection.recv(100)

    async def scenario(_: Intake) -> None:
        await asyncio.to_thread(hostile)
        with await asyncio.to_thread(connect, tmp_path) as honest:
            assert (await asyncio.to_thread(asked, honest, {"do": "status"}))["state"] == "collecting"

    serving(tmp_path, scenario)


def test_a_slow_sender_of_much_keeps_room_for_a_while_and_others_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MESSAGE_SECONDS", 0.2)
    head = json.dumps({"do": "commit", "blobs": [wire.LONGEST_BLOBS_BYTES]}).encode()

    def slow(packed: bytes) -> str:
        with connect(tmp_path) as connection:
            connection.sendall(packed)
            with pytest.raises(EnvironmentFailed) as refused:
                request(connection, Message({}))
            return str(refused.value)

    async def scenario(_: Intake) -> None:
        packed = struct.pack(">I", len(head)) + head
        both = asyncio.gather(*(asyncio.to_thread(slow, packed) for _ in range(2)))
        long_head = asyncio.to_thread(slow, struct.pack(">I", wire.LONGEST_HEAD_BYTES) + b"{")
        with await asyncio.to_thread(connect, tmp_path) as honest:
            assert (await asyncio.to_thread(asked, honest, {"do": "status"}))["state"] == "collecting"
        for said in [*await both, await long_head]:
            assert "did not come to its end" in said

    serving(tmp_path, scenario)


def test_too_many_connections_are_refused_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MOST_CONNECTIONS", 3)

    def crowd() -> None:
        with contextlib.ExitStack() as stack:
            first = [stack.enter_context(connect(tmp_path)) for _ in range(3)]
            for one in first:
                asked(one, {"do": "status"})
            with connect(tmp_path) as one, pytest.raises(EnvironmentFailed, match="3 commands are connected already"):
                asked(one, {"do": "status"})
            asked(first[0], {"do": "status"})

    async def scenario(_: Intake) -> None:
        await asyncio.to_thread(crowd)

    serving(tmp_path, scenario)


def test_a_commit_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    answers: list[Awaitable[Message]] = []

    async def scenario(intake: Intake) -> None:
        connection = held.enter_context(await asyncio.to_thread(connect, tmp_path))
        await asyncio.to_thread(asked, connection, HELLO)
        answers.append(asyncio.ensure_future(asyncio.to_thread(request, connection, tick())))
        async with asyncio.timeout(30):
            while not intake.waiting_bytes:
                await asyncio.to_thread(lambda: None)

    with contextlib.ExitStack() as held:
        serving(tmp_path, scenario)
    assert stored(tmp_path) == b"one\n"
    assert isinstance(answers[0], asyncio.Future)
    assert answers[0].result().head == {"blobs": []}
