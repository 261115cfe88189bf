"""A syslog source gives every message it received, within bounds, and tells what it could not."""

import asyncio
import contextlib
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from heeler.clock import FakeClock, SystemClock
from heeler.errors import SourceUnavailable
from heeler.model import CHUNK_BYTES
from heeler.sources import syslog_tcp
from heeler.sources.syslog import SyslogSettings
from heeler.sources.syslog_address import Admission
from heeler.sources.syslog_inbox import OTHERS, Inbox, Streams
from heeler.sources.syslog_udp_receiver import FRAME, Receiver
from syslog_listening import authority, certificate, listening, soon


async def send(address: tuple[str, int], data: bytes, context: ssl.SSLContext | None = None) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection(*address, ssl=context)
    writer.write(data)
    await writer.drain()
    return writer


# --- settings ---


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "Nothing is listened for"),
        ({"udp": "0.0.0.0:514"}, "udp = '0.0.0.0:514' lets anybody write to the log who reaches it"),
        ({"tcp": "[::]:514"}, 'allow = ["192.0.2.0/24"]'),
        ({"tls": "192.0.2.1:6514", "certificate": "a.pem"}, "or clients for TLS clients with a certificate"),
        ({"tcp": "192.0.2.1:1", "tls": "6514", "certificate": "a", "clients": "c"}, "tcp = '192.0.2.1:1' lets anybody"),
        ({"tls": "6514"}, "tls needs a certificate"),
        ({"tcp": "514", "certificate": "a.pem"}, "certificate is for TLS only"),
        ({"udp": "localhost:514"}, "is no address to listen on"),
        ({"udp": "127.0.0.1:65536"}, "is no address to listen on"),
        ({"udp": "1", "allow": ["10.0.0.1/8"]}, "'10.0.0.1/8' is no network"),
        ({"udp": "1", "max_message": "2MiB"}, "less than or equal to 1048576"),
        ({"udp": "1", "tpc": "1"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_a_sentence(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SyslogSettings.model_validate({"kind": "syslog", **settings})
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"udp": "5514", "tcp": "[::1]:5514"},
        {"udp": "0.0.0.0:514", "allow": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]},
        {"tls": "0.0.0.0:6514", "certificate": "a.pem", "clients": "c.pem"},
    ],
)
def test_settings_that_say_who_may_send_are_taken(settings: dict[str, object]) -> None:
    taken = SyslogSettings.model_validate({"kind": "syslog", **settings})
    assert str(taken.udp) in {"127.0.0.1:5514", "0.0.0.0:514", "None"}


def test_the_guide_names_every_setting() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "syslog.md").read_text(encoding="utf-8")
    assert [
        name
        for name in SyslogSettings.model_fields.keys() - {"kind", "format", "zone", "enabled"}
        if f"`{name}`" not in guide
    ] == []


def test_who_may_send() -> None:
    some = Admission(["10.0.0.0/8", "2001:db8::/32"])
    assert [
        some.admits(peer) for peer in ("10.1.2.3", "2001:db8::1", "127.0.0.1", "::1", "fe80::1%eth0", "192.0.2.1")
    ] == [
        *[True] * 4,
        *[False] * 2,
    ]
    assert Admission([]).admits("192.0.2.1")


def test_an_address_that_is_taken_is_told_in_a_sentence() -> None:
    async def scenario() -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(SourceUnavailable, match="cannot be listened on: Address already in use"),
        ):
            async with listening(tcp=str(taken.getsockname()[1]), udp="0"):
                pass

    asyncio.run(scenario())


# --- messages ---


def test_messages_of_all_transports_arrive_in_their_group_and_stream() -> None:
    async def scenario() -> None:
        async with listening(udp="0", tcp="0", group="machines") as one:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for data in (b"<13>one", b"<13>two\n", b"\n\0", b"", b"<13>three\nfour\0", b"\xff\0<13>five\r\n"):
                    sender.sendto(data, one.udp)
            assert await one.until_lines(4) == [b"<13>one", b"<13>two", b"<13>three#012four", b"\xff\0<13>five\r"]
            writer = await send(one.tcp, b"<13>six\n10 <13>se\nven<13>eight")
            writer.close()
            assert (await one.until_lines(7))[4:] == [b"<13>six", b"<13>se#012ven", b"<13>eight"][:3]
        assert {(chunk.group, chunk.stream, chunk.part) for chunk in one.chunks} == {
            ("machines", "127.0.0.1", "udp 127.0.0.1"),
            ("machines", "127.0.0.1", "tcp 127.0.0.1"),
        }
        assert all(chunk.position == {} and chunk.data.endswith(b"\n") for chunk in one.chunks)
        assert not one.source.health().alive

    asyncio.run(scenario())


def test_what_was_sent_before_closing_is_given_out_and_nobody_is_accepted_any_more() -> None:
    async def scenario() -> None:
        lines = [b"<13>line %d" % number for number in range(20_000)]
        async with listening(udp="0", tcp="0") as one:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for line in lines[:500]:
                    sender.sendto(line, one.udp)
            address = one.tcp
            writer = await send(address, b"\n".join(lines[500:]))
        writer.close()
        assert sorted(one.lines) == sorted(lines)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)

    asyncio.run(scenario())


def test_what_the_kernel_holds_of_a_connection_is_given_out_when_the_source_is_closed() -> None:
    async def scenario() -> None:
        async with listening(tcp="0") as one:
            with socket.create_connection(one.tcp) as sender:
                sender.sendall(b"<13>first\n")
                await one.until_lines(1)
                sender.settimeout(0)
                sent, line = 0, b"<13>" + b"x" * 995 + b"\n"
                with contextlib.suppress(BlockingIOError):  # the source had no chance to read any of it
                    while True:
                        sent += sender.send(line * 100)
                await one.source.close()
        assert sent > 1 << 16
        assert sum(len(chunk.data) for chunk in one.chunks) in {sent + 10, sent + 11}  # the last may be unfinished

    asyncio.run(scenario())


def test_a_message_that_is_too_long_is_cut_with_a_record_in_its_place() -> None:
    async def scenario() -> None:
        async with listening(tcp="0", max_message="1kB") as one:
            writer = await send(one.tcp, b"<13>" + b"a" * 5000 + b"\n<13>b\n9000 <13>" + b"c" * 8996 + b"<13>d\n")
            await one.until_lines(4)
            writer.close()
        assert [len(line) for line in one.lines] == [1000, 5, 1000, 5]
        assert [event.lost_bytes for event in one.events] == [4004, 8000]
        assert [(chunk.data[:5], len(chunk.events)) for chunk in one.chunks] == [
            (b"<13>a", 0),
            (b"<13>b", 1),
            (b"<13>d", 1),
        ]

    asyncio.run(scenario())


# --- bounds ---


def test_a_sender_waits_when_nobody_takes_what_it_sends() -> None:
    async def scenario() -> None:
        block = b"<13>" + b"x" * 995 + b"\n"
        async with listening(tcp="0", read=False) as one:
            sender = socket.create_connection(one.tcp)
            sending = threading.Thread(target=sender.sendall, args=(block * 30_000,))
            sending.start()
            await soon(lambda: one.source._inbox.is_full)
            for _ in range(100):
                await asyncio.sleep(0)
            assert (one.source.health().lag_bytes or 0) < CHUNK_BYTES + (1 << 20)
            assert sending.is_alive()
            one.read()
            await one.until_lines(30_000)
            sending.join()
            sender.close()

    asyncio.run(scenario())


def test_connections_are_counted_and_half_of_them_is_what_one_address_gets() -> None:
    async def scenario() -> None:
        async with listening(tcp="0", max_connections=4) as one:
            held = [await asyncio.open_connection(*one.tcp) for _ in range(3)]
            assert await held[2][0].read() == b""
            assert one.source.health().counters["refused"] == 1
            other = await asyncio.open_connection(*one.tcp, local_addr=("127.0.0.2", 0))
            other[1].write(b"<13>honest\n")
            await one.until_lines(1)
            held[0][1].close()
            await soon(lambda: one.source.tcp[0].connections == 2)
            again = await asyncio.open_connection(*one.tcp)
            again[1].write(b"<13>again\n")
            await one.until_lines(2)
            for _, writer in (*held, other, again):
                writer.close()

    asyncio.run(scenario())


def test_connections_that_say_nothing_whole_are_closed() -> None:
    async def scenario() -> None:
        clock = FakeClock()
        async with listening(tcp="0", idle="10m", clock=clock) as one:
            talking = await asyncio.open_connection(*one.tcp)
            talking[1].write(b"<13>hello\n")
            silent = await asyncio.open_connection(*one.tcp)
            silent[1].write(b"<13>not whole")
            await soon(lambda: one.source.tcp[0].accepted == 2 and one.source._inbox.waiting_bytes > 0)
            await clock.advance(59)
            assert one.source.tcp[0].idle == 0
            await clock.advance(2)
            assert await silent[0].read() == b""
            assert one.source.health().counters["idle_closed"] == 1
            await clock.advance(598)
            assert await talking[0].read() == b""
            await clock.advance(1)
            assert sorted(await one.until_lines(2)) == [b"<13>hello", b"<13>not whole"]
            for _, writer in (talking, silent):
                writer.close()

    asyncio.run(scenario())


def test_whoever_waits_for_us_is_not_idle_and_what_is_left_at_the_end_is_recorded() -> None:
    async def scenario() -> None:
        clock = FakeClock()
        async with listening(tcp="0", clock=clock, read=False) as one:
            one.source._inbox.put("p", "s", b"x" * CHUNK_BYTES)
            reader, writer = await asyncio.open_connection(*one.tcp)
            writer.write(b"<13>waiting\n")
            await soon(lambda: one.source.tcp[0].has_unread)
            await clock.advance(120)
            assert one.source.tcp[0].idle == 0
            closing = asyncio.create_task(one.source.close())
            await asyncio.sleep(0)
            await clock.advance(3)
            await closing
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
        assert [event.what for event in one.events] == ["stopped"]

    asyncio.run(scenario())


def test_forged_addresses_share_one_stream() -> None:
    streams = Streams(2)
    assert [streams.of(address) for address in "abcab"] == ["a", "b", OTHERS, "a", "b"]


def test_whoever_may_not_send_is_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with listening(tcp="0") as one:
            monkeypatch.setattr(Admission, "admits", lambda _, peer: peer != "127.0.0.3")
            reader, writer = await asyncio.open_connection(*one.tcp, local_addr=("127.0.0.3", 0))
            assert await reader.read() == b""
            assert one.source.health().counters["refused"] == 1
            writer.close()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as refused,
        ):
            ours, theirs = socket.socketpair()
            udp.bind(("127.0.0.1", 0))
            udp.settimeout(0)
            theirs.settimeout(0)
            refused.bind(("127.0.0.3", 0))
            refused.sendto(b"<13>no", udp.getsockname())
            sender.sendto(b"<13>yes", udp.getsockname())
            ours.shutdown(socket.SHUT_WR)
            Receiver(udp, theirs, Admission([]), 1 << 20, SystemClock()).run()
            theirs.close()
            frames = ours.makefile("rb").read()
            ours.close()
            assert FRAME.unpack_from(frames)[2] == 1
            assert frames[FRAME.size :] == b"127.0.0.1<13>yes\n"

    asyncio.run(scenario())


# --- datagrams ---


def test_what_the_kernel_dropped_is_counted_exactly_and_recorded() -> None:
    async def scenario() -> None:
        async with listening(udp="0", receive_buffer="64KiB") as one:
            assert one.source.udp
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"<13>first", one.udp)
                await one.until_lines(1)  # it runs
                assert one.source.udp.process
                one.source.udp.process.send_signal(signal.SIGSTOP)
                for number in range(2000):
                    sender.sendto(b"<13>%d" % number, one.udp)
                one.source.udp.process.send_signal(signal.SIGCONT)
            await one.until(lambda: bool(one.events))
        drops = one.source.health().counters["kernel_drops"]
        assert drops > 0
        assert len(one.lines) + drops == 2001
        assert [(event.what, event.is_kept) for event in one.events] == [("dropped", True)]
        assert f"{drops} datagrams" in one.events[0].message

    asyncio.run(scenario())


def test_the_process_that_receives_is_started_again_when_it_dies() -> None:
    async def scenario() -> None:
        async with listening(udp="0") as one:
            assert one.source.udp
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"<13>before", one.udp)
                await one.until_lines(1)
                first = one.source.udp.process
                assert first
                first.kill()
                sender.sendto(b"<13>meanwhile", one.udp)  # the socket is ours and stays
                assert await one.until_lines(2) == [b"<13>before", b"<13>meanwhile"]
                assert one.source.udp.process is not first
            assert one.source.health().restarts == 1
            assert [event.what for event in one.events] == ["receiver_ended"]
            assert "ended with -9" in one.source.health().last_error

    asyncio.run(scenario())


PARENT = """
import asyncio, sys
from syslog_listening import listening, soon
async def main():
    async with listening(udp="0") as one:
        await soon(lambda: one.source.health().alive)
        print(one.source.udp.process.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


def test_the_process_that_receives_dies_with_its_parent() -> None:
    campaigns = str(Path(__file__).parents[2] / "campaigns")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([campaigns, *sys.path])}
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        watched = os.pidfd_open(child)  # so that the number cannot become somebody else's
        parent.kill()
    ended = select.poll()
    ended.register(watched, select.POLLIN)
    assert ended.poll(10_000)
    os.close(watched)


# --- TLS ---


def client(authority: Path, own: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    if own:
        context.load_cert_chain(own)
    return context


def test_tls_takes_clients_with_a_certificate_and_no_others(tmp_path: Path) -> None:
    ours = authority(tmp_path)
    server, known = certificate(tmp_path, "server", ours), certificate(tmp_path, "known", ours)
    stranger = certificate(tmp_path, "stranger", authority(tmp_path, "other"))

    async def scenario() -> None:
        async with listening(tls="0", certificate=server, clients=ours) as one:
            writer = await send(one.tcp, b"9 <13>known", client(ours, known))
            for own in (None, stranger):
                try:
                    refused = await send(one.tcp, b"<13>refused\n" * 1000, client(ours, own))
                    refused.close()
                except (ssl.SSLError, ConnectionError):
                    pass  # with TLS 1.3 the client learns of it when it next writes or reads
            await soon(lambda: one.source.health().counters["failed_handshakes"] == 2)
            await one.until_lines(1)
            writer.close()
        assert one.lines == [b"<13>known"]
        assert one.chunks[0].part == "tls 127.0.0.1"

    asyncio.run(scenario())


def test_renewed_certificates_are_used_and_broken_ones_are_not(tmp_path: Path) -> None:
    ours = authority(tmp_path)
    first, second = certificate(tmp_path, "first", ours), certificate(tmp_path, "second", ours)
    used = tmp_path / "used.pem"
    used.write_bytes(first.read_bytes())

    async def name(address: tuple[str, int]) -> object:
        writer = await send(address, b"<13>hello\n", client(ours))
        subject = writer.get_extra_info("peercert")["subject"]
        writer.close()
        return subject[0][0][1]

    async def scenario() -> None:
        async with listening(tls="0", certificate=used) as one:
            assert await name(one.tcp) == "first"
            used.write_bytes(second.read_bytes())
            assert await name(one.tcp) == "second"
            used.write_bytes(b"half a certif")
            assert await name(one.tcp) == "second"
            assert await name(one.tcp) == "second"
            assert len(one.notices) == 1
            assert "cannot be used" in one.notices[0]
            assert "goes on" in one.notices[0]
            used.unlink()
            assert await name(one.tcp) == "second"
            used.write_bytes(first.read_bytes())
            assert await name(one.tcp) == "first"
            await one.until_lines(6)

    asyncio.run(scenario())


def test_a_certificate_that_cannot_be_read_is_told_before_anything_is_listened_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(SourceUnavailable, match=r"cannot be used: .*No such file"):
            async with listening(tls="0", certificate=tmp_path / "none.pem"):
                pass

    asyncio.run(scenario())


def test_a_handshake_that_never_ends_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syslog_tcp, "HANDSHAKE_SECONDS", 0.5)
    ours = authority(tmp_path)
    server = certificate(tmp_path, "server", ours)

    async def scenario() -> None:
        async with listening(tls="0", certificate=server) as one:
            held = [await asyncio.open_connection(*one.tcp) for _ in range(20)]
            for _, writer in held:
                writer.write(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
            honest = await send(one.tcp, b"<13>honest\n", client(ours))
            await one.until_lines(1)
            for reader, _ in held:
                assert await reader.read() == b""
            assert one.source.health().counters["failed_handshakes"] == 20
            for _, writer in (*held, (None, honest)):
                writer.close()

    asyncio.run(scenario())


# --- gathering ---


def test_what_comes_soon_after_is_given_together() -> None:
    async def scenario() -> None:
        clock = FakeClock()
        inbox = Inbox(clock, 100)
        taking = asyncio.create_task(inbox.take())
        inbox.put("p", "a", b"1\n")
        await soon(lambda: clock.sleepers == 1)
        inbox.put("p", "b", b"2\n")
        inbox.put("p", "a", b"3\n")
        await clock.advance(0.1)
        assert [(parcel.stream, parcel.blocks) for parcel in await taking] == [("a", [b"1\n", b"3\n"]), ("b", [b"2\n"])]
        inbox.end()
        assert await inbox.take() == []

    asyncio.run(scenario())
