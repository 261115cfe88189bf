"""What systemd hears over its socket."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from turning import turned

from heeler.clock import FakeClock
from heeler.daemon.systemd import Systemd


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The other end, as systemd has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.bind(str(tmp_path / "notify"))
        own.setblocking(False)  # noqa: FBT003 - the standard library's name for it
        yield own


def heard(manager: socket.socket) -> list[bytes]:
    messages = []
    while True:
        try:
            messages.append(manager.recv(1000))
        except BlockingIOError:
            return messages


def environment(manager: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(manager.getsockname()), **more}


def test_states_are_told_one_a_line(manager: socket.socket) -> None:
    Systemd(environment(manager)).tell("READY=1", "STATUS=Collecting")
    assert heard(manager) == [b"READY=1\nSTATUS=Collecting"]


def test_an_address_without_a_file_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.bind(f"\0heeler-test-{os.getpid()}")
        Systemd({"NOTIFY_SOCKET": f"@heeler-test-{os.getpid()}"}).tell("READY=1")
        own.settimeout(10)
        assert own.recv(100) == b"READY=1"


def test_the_watchdog_is_fed_twice_as_often_as_it_asks(manager: socket.socket) -> None:
    async def scenario() -> None:
        clock = FakeClock()
        systemd = Systemd(environment(manager, WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid())))
        awake = asyncio.create_task(systemd.keep_awake(clock))
        await turned()
        assert heard(manager) == [b"WATCHDOG=1"]
        await clock.advance(14.9)
        assert heard(manager) == []
        await clock.advance(15.1)
        assert heard(manager) == [b"WATCHDOG=1"] * 2
        awake.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "more", [{}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}]
)
def test_a_watchdog_that_is_none_of_ours_is_not_fed(manager: socket.socket, more: dict[str, str]) -> None:
    asyncio.run(Systemd(environment(manager, **more)).keep_awake(FakeClock()))
    assert heard(manager) == []


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "@nobody-listens-here"])
def test_that_nobody_hears_is_no_fault(address: str) -> None:
    Systemd({"NOTIFY_SOCKET": address}).tell("READY=1")
