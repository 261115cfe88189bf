"""The http source from outside: what a sender is told, when, and what is committed by then."""

import asyncio
import gzip
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from pydantic import ValidationError

from committing import Committing, Memory, committing, goodbye, until
from heeler.clock import FakeClock
from heeler.errors import SourceUnavailable, UsageError
from heeler.sources.http import HttpSettings, HttpSource
from heeler.sources.http_lines import JsonLines

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - of a test


class Client:
    """Speaks HTTP/1.1 over one connection, as badly as a test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, path: str, body: bytes = b"", method: str = "POST", **headers: str) -> None:
        told = {"host": "h", "content-length": str(len(body))} | {
            name.replace("_", "-"): text for name, text in headers.items()
        }
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {text}\r\n" for name, text in told.items()) + "\r\n"
        self.writer.write(head.encode("latin-1") + body)
        await self.writer.drain()

    async def answer(self) -> tuple[int, Mapping[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in head[1:-2])}
        return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers.get("content-length", 0)))

    async def post(self, path: str, body: bytes = b"", method: str = "POST", **headers: str) -> int:
        await self.send(path, body, method, **headers)
        return (await self.answer())[0]

    async def ended(self) -> bool:
        """Wait until the other side has closed; return whether it said nothing."""
        try:
            return not await self.reader.read()
        except ConnectionResetError:
            return True


@asynccontextmanager
async def client(running: Committing, secured: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", await port_of(running), ssl=secured)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def port_of(running: Committing) -> int:
    assert isinstance(running.source, HttpSource)
    source = running.source
    await until(lambda: source.port > 0)
    return source.port


def settings(**given: object) -> HttpSettings:
    return HttpSettings.model_validate({"kind": "http", "listen": "127.0.0.1:0"} | given)


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setenv("HEELER_TEST_TOKEN", TOKEN)
    return {"token": "${HEELER_TEST_TOKEN}"}


def test_the_answer_comes_after_the_commit_and_not_before() -> None:
    async def run() -> None:
        memory = Memory()
        async with committing(settings(), memory, at_once=False) as running, client(running) as sender:
            await sender.send("/text?group=shop&stream=web.1", b"one\ntwo")
            [chunk] = await running.arrived()
            answer = asyncio.create_task(sender.answer())
            for _ in range(100):
                await asyncio.sleep(0)

            assert not answer.done()
            assert (chunk.data, chunk.group, chunk.stream) == (b"one\ntwo\n", "shop", "web.1")
            assert running.source.health().lag_bytes == len(chunk.data)

            await running.commit()

            assert (await answer)[0] == 204
            assert running.source.health().lag_bytes == 0

    asyncio.run(run())


def test_positions_rise_and_go_on_behind_those_of_the_store() -> None:
    async def run() -> None:
        memory = Memory(positions={"listener": {"batch": 7}})
        async with committing(settings(), memory) as running, client(running) as sender:
            for number in range(3):
                assert await sender.post("/json", b'{"n":%d}\n' % number) == 204

        assert [dict(chunk.position) for chunk in memory.chunks] == [{"batch": 8}, {"batch": 9}, {"batch": 10}]
        assert memory.lines == [b'{"n":0}\n', b'{"n":1}\n', b'{"n":2}\n']

    asyncio.run(run())


def test_a_batch_with_a_key_is_stored_once_before_and_after_its_commit() -> None:
    async def run() -> None:
        memory = Memory()
        async with (
            committing(settings(), memory, at_once=False) as running,
            client(running) as first,
            client(running) as again,
        ):
            await first.send("/json", b"{}", idempotency_key="k")
            await running.arrived()
            await again.send("/json", b"{}", idempotency_key="k")
            await until(lambda: running.source.health().counters["repeated"] > 0)
            await running.commit()

            assert [(await one.answer())[0] for one in (first, again)] == [204, 204]
            assert await again.post("/json", b"{}", idempotency_key="k") == 204
        async with committing(settings(), memory) as restarted, client(restarted) as sender:
            assert await sender.post("/json", b"{}", idempotency_key="k") == 204
            assert await sender.post("/json", b"{}", idempotency_key="another") == 204

        assert memory.lines == [b"{}\n", b"{}\n"]

    asyncio.run(run())


def test_of_a_batch_that_was_committed_in_part_only_the_rest_is_stored_when_it_comes_again() -> None:
    body = b"".join(
        b'{"create":{"_index":"%s"}}\n{"@timestamp":"2026-11-22T10:15:40Z","n":%d}\n' % (name, number)
        for number, name in enumerate((b"a", b"b", b"a", b"c"))
    )

    async def run() -> None:
        memory, clock = Memory(), FakeClock()
        async with committing(settings(), memory, clock, at_once=False) as running, client(running) as sender:
            await sender.send("/_bulk", body)
            await running.arrived(3)
            del running.waiting[1:]
            await running.source.close()
            await clock.advance(11)
            assert await sender.ended()
        async with committing(settings(), memory) as restarted, client(restarted) as sender:
            assert await sender.post("/_bulk", body) == 200

        assert [chunk.group for chunk in memory.chunks] == ["a", "b", "c"]
        assert len(memory.lines) == 4

    asyncio.run(run())


def test_what_there_is_no_room_for_is_refused_for_now_and_taken_later() -> None:
    async def run() -> None:
        memory = Memory()
        tight = settings(in_flight="1MiB", body="1MiB")
        line = b"x" * (700 << 10) + b"\n"
        async with committing(tight, memory, at_once=False) as running, client(running) as first:
            await first.send("/text", line)
            await running.arrived()
            for path in ("/text", "/logplex", "/v1/logs", "/loki/api/v1/push", "/_bulk"):
                async with client(running) as second:
                    await second.send(path, line)
                    status, headers, _ = await second.answer()
                    assert (status, headers["retry-after"]) == (503, "1")
            await running.commit()
            assert (await first.answer())[0] == 204
            async with client(running) as third:
                await third.send("/text", line)
                await running.arrived()
                await running.commit()
                assert (await third.answer())[0] == 204

        assert memory.lines == [line, line]

    asyncio.run(run())


def test_when_it_is_closed_what_was_given_is_still_answered_and_the_rest_is_refused_for_now() -> None:
    async def run() -> None:
        memory = Memory()
        source = settings().open(memory.context())
        assert isinstance(source, HttpSource)
        chunks = source.read()
        reading = asyncio.ensure_future(anext(chunks))
        await until(lambda: source.port > 0)
        senders = [Client(*await asyncio.open_connection("127.0.0.1", source.port)) for _ in range(2)]
        await senders[0].send("/text", b"given")
        given = await reading
        await senders[1].send("/text", b"not given")
        await until(lambda: source.health().lag_bytes == len(b"given\nnot given\n"))
        await source.close()
        await source.close()

        status, headers, _ = await senders[1].answer()
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert [chunk async for chunk in chunks] == []
        await source.committed({given.part: given.position})
        assert (await senders[0].answer())[0] == 204
        assert [await sender.ended() for sender in senders] == [True, True]
        assert not source.health().alive
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", source.port)
        for sender in senders:
            sender.writer.close()
        await goodbye()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/text", {"authorization": f"Bearer {TOKEN}"}),
        ("/text", {"authorization": "Basic aGVyb2t1OmNvcnJlY3QtaG9yc2UtYmF0dGVyeS1zdGFwbGU="}),
        (f"/{TOKEN}/text", {}),
    ],
)
def test_a_sender_with_the_token_is_let_in(path: str, headers: dict[str, str], token: dict[str, object]) -> None:
    async def run() -> None:
        memory = Memory()
        async with committing(settings(**token), memory) as running, client(running) as sender:
            assert await sender.post(path, b"x", **headers) == 204

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/text", {}),
        ("/", {}),
        ("/_bulk", {"authorization": "Bearer correct-horse-battery-staplf"}),
        ("/text", {"authorization": "Basic !!!"}),
        ("/text", {"authorization": "Basic " + "YQ=="}),
        ("/text", {"authorization": f"Digest {TOKEN}"}),
        (f"/{TOKEN[:-1]}/text", {}),
        (f"/text/{TOKEN}", {}),
        ("/logplex?token=" + TOKEN, {}),
        ("/", {"authorization": "Bearer " + "\xff" * 40}),
    ],
)
def test_a_sender_without_the_token_is_refused_before_its_body_is_read(
    path: str, headers: dict[str, str], token: dict[str, object]
) -> None:
    async def run() -> None:
        memory = Memory()
        async with committing(settings(**token), memory) as running, client(running) as sender:
            await sender.send(path, b"", **headers, content_length="1000000")
            status, answered, body = await sender.answer()

            assert (status, answered["connection"]) == (401, "close")
            assert TOKEN not in body.decode()
            assert TOKEN not in repr(running.source.health())
        assert memory.chunks == []

    asyncio.run(run())


def test_an_address_that_others_reach_needs_a_token(token: dict[str, object]) -> None:
    for listen in ("0.0.0.0:8514", "192.0.2.7:80", "[::]:8514", "web.example.com:80"):
        with pytest.raises(ValidationError, match="so senders need a token"):
            settings(listen=listen)
        assert settings(listen=listen, **token).token is not None
    for listen in ("127.0.0.1:0", "[::1]:8514", "localhost:1"):
        assert settings(listen=listen).token is None


def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("short", "with a space in the middle", "slash/slash/slash/slash"):
        monkeypatch.setenv("HEELER_TEST_TOKEN", text)
        with pytest.raises(ValidationError, match="16 or more letters"):
            settings(token="${HEELER_TEST_TOKEN}")  # noqa: S106 - the name of one


def test_a_web_page_cannot_send_to_a_listener_without_a_token() -> None:
    async def run() -> None:
        memory = Memory()
        async with committing(settings(), memory) as running, client(running) as sender:
            assert await sender.post("/text", b"x", origin="http://evil.example.com") == 403
        assert memory.chunks == []

    asyncio.run(run())


def test_a_body_is_refused_as_soon_as_it_is_too_large_packed_or_not() -> None:
    async def run() -> None:
        memory = Memory()
        bomb = gzip.compress(bytes(64 << 20))
        async with committing(settings(body="1MiB"), memory) as running:
            for body, headers in (
                (bytes((1 << 20) + 1), {}),
                (bomb, {"content_encoding": "gzip"}),
            ):
                async with client(running) as sender:
                    assert await sender.post("/text", body, **headers) == 413
            async with client(running) as sender:
                assert await sender.post("/logplex", bomb, content_encoding="gzip") == 503
            assert running.source.health().lag_bytes == 0
        assert memory.chunks == []

    asyncio.run(run())


def test_a_chunked_body_is_taken_and_refused_when_it_grows_too_large() -> None:
    async def run() -> None:
        memory = Memory()
        async with committing(settings(body="1MiB"), memory) as running:
            async with client(running) as sender:
                sender.writer.write(b"POST /text HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n")
                assert (await sender.answer())[0] == 204
            async with client(running) as sender:
                sender.writer.write(b"POST /text HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
                sender.writer.write(b"80000\r\n" + bytes(0x80000) + b"\r\n")
                sender.writer.write(b"80000\r\n" + bytes(0x80000) + b"\r\n1\r\nx\r\n")
                assert (await sender.answer())[0] == 413
        assert memory.lines == [b"one\n"]

    asyncio.run(run())


def test_a_sender_that_asks_before_it_sends_is_told_to_go_on_or_not() -> None:
    async def run() -> None:
        memory = Memory()
        async with committing(settings(), memory) as running:
            async with client(running) as sender:
                await sender.send("/text", expect="100-continue", content_length="3")
                assert await sender.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                sender.writer.write(b"one")
                assert (await sender.answer())[0] == 204
            async with client(running) as sender:
                await sender.send("/nowhere", expect="100-continue", content_length="3")
                assert (await sender.answer())[0] == 404

    asyncio.run(run())


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"HELLO\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"POST /text HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 400_000, 431),
        (b"\r\n" * 40_000, 431),
    ],
)
def test_what_is_no_request_or_has_a_flood_of_headers_is_refused(sent: bytes, status: int) -> None:
    async def run() -> None:
        async with committing(settings(), Memory()) as running, client(running) as sender:
            sender.writer.write(sent)
            assert (await sender.answer())[0] == status
            assert running.source.health().counters["refused"] == 1

    asyncio.run(run())


def test_requests_sent_behind_each_other_are_answered_in_their_order() -> None:
    async def run() -> None:
        memory = Memory()
        async with committing(settings(), memory) as running, client(running) as sender:
            for number in range(20):
                await sender.send("/text", b"%d" % number)
            await sender.send("/nowhere")
            assert [(await sender.answer())[0] for _ in range(21)] == [204] * 20 + [404]
            assert await sender.ended()
        assert memory.lines == [b"%d\n" % number for number in range(20)]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (b"", 10),
        (b"POST /text HTTP/1.1\r\nconte", 10),
        (b"POST /text HTTP/1.1\r\ncontent-length: 9\r\n\r\nslow", 60),
    ],
)
def test_a_sender_that_is_too_slow_is_dropped(sent: bytes, seconds: int) -> None:
    async def run() -> None:
        clock = FakeClock()
        async with committing(settings(), Memory(), clock) as running, client(running) as sender:
            sender.writer.write(sent)
            await sender.writer.drain()
            await until(lambda: "1 connections" in running.source.health().doing)
            for _ in range(20):  # until what was sent is read
                await asyncio.sleep(0.001)
            await clock.advance(seconds - 1)
            assert running.source.health().counters["connections_dropped"] == 0
            await clock.advance(2)

            assert await sender.ended()
            assert running.source.health().counters["connections_dropped"] == 1
            assert running.source.health().lag_bytes == 0

    asyncio.run(run())


def test_a_connection_without_requests_is_closed_after_a_while_and_one_that_waits_for_a_commit_is_not() -> None:
    async def run() -> None:
        clock = FakeClock()
        async with committing(settings(), Memory(), clock, at_once=False) as running, client(running) as sender:
            await sender.send("/text", b"x")
            await running.arrived()
            await clock.advance(600)
            await running.commit()
            assert (await sender.answer())[0] == 204
            await clock.advance(89)
            assert running.source.health().counters["connections_dropped"] == 0
            await clock.advance(2)
            assert await sender.ended()

    asyncio.run(run())


def test_when_there_are_too_many_connections_one_that_only_waits_makes_place() -> None:
    async def run() -> None:
        memory = Memory()
        async with committing(settings(connections=3), memory) as running:
            port = await port_of(running)
            idlers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
            async with client(running) as sender:
                assert await sender.post("/text", b"x") == 204
            assert running.source.health().counters["connections_dropped"] == 6
            for _, writer in idlers:
                writer.close()

    asyncio.run(run())


def test_names_come_from_the_address_and_a_last_line_gets_its_newline() -> None:
    async def run() -> None:
        memory = Memory()
        async with committing(settings(), memory) as running, client(running) as sender:
            assert await sender.post("/text?group=caf%C3%A9&stream=a%20b", b"x\r\ny") == 204
            assert await sender.post("/text", b"") == 204
            long = "n" * 400
            assert await sender.post(f"/text?group={long}", b"z") == 204

        assert memory.of("café", "a b") == b"x\r\ny\n"
        assert memory.of("n" * 255, "") == b"z\n"

    asyncio.run(run())


def test_a_line_longer_than_a_chunk_may_have_travels_in_pieces() -> None:
    async def run() -> None:
        memory = Memory()
        body = b"a\n" + b"x" * ((5 << 20) // 2) + b"\nb\n"
        async with committing(settings(), memory) as running, client(running) as sender:
            assert await sender.post("/text", body) == 204

        assert [(len(chunk.data), chunk.piece) for chunk in memory.chunks] == [
            (2, False),
            (1 << 20, True),
            (1 << 20, True),
            ((1 << 19) + 3, False),
        ]
        assert b"".join(chunk.data for chunk in memory.chunks) == body

    asyncio.run(run())


def test_curl_sends_a_file_and_reads_the_answer(tmp_path: Path, token: dict[str, object]) -> None:
    file = tmp_path / "app.log"
    file.write_bytes(b"".join(b'{"n":%d}\n' % number for number in range(200_000)))

    async def run() -> None:
        memory = Memory()
        async with committing(settings(**token), memory) as running:
            url = f"http://x:{TOKEN}@127.0.0.1:{await port_of(running)}/json?group=g"
            command = ["curl", "-sS", "--fail", "--data-binary", f"@{file}", url]
            done = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
            _, told = await done.communicate()
            assert (done.returncode, told) == (0, b"")
        assert memory.of("g", "") == file.read_bytes()

    asyncio.run(run())


def test_tls_is_spoken_where_there_is_a_certificate_and_a_handshake_that_never_ends_is_dropped(tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    trusting = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    trusting.check_hostname = False
    secure = settings(
        tls_certificate=str(tmp_path / "cert.pem"), tls_key=str(tmp_path / "key.pem"), head_timeout="300ms"
    )

    async def run() -> None:
        memory = Memory()
        async with committing(secure, memory) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", await port_of(running))
            async with client(running, trusting) as sender:
                assert await sender.post("/text", b"secret") == 204
            assert await Client(reader, writer).ended()
            writer.close()
            async with client(running) as plain:
                plain.writer.write(b"GET / HTTP/1.1\r\n\r\n")
                await plain.ended()
            await until(lambda: running.source.health().counters["handshakes_failed"] == 2)
        assert memory.lines == [b"secret\n"]

    asyncio.run(run())


def test_a_certificate_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "cert.pem"
    file.write_text("no certificate")

    with pytest.raises(UsageError, match="cannot be used"):
        settings(tls_certificate=str(file)).open(Memory().context())
    with pytest.raises(ValidationError, match="without tls_certificate"):
        settings(tls_key=str(file))


def test_an_address_in_use_is_told_in_a_sentence() -> None:
    async def run() -> None:
        async with committing(settings(), Memory()) as running:
            taken = settings(listen=f"127.0.0.1:{await port_of(running)}").open(Memory().context())
            with pytest.raises(SourceUnavailable, match="Choose another address"):
                await anext(taken.read())
            await taken.close()

    asyncio.run(run())


def test_a_fault_of_ours_is_told_without_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(JsonLines, "decode", broken)

    async def run() -> None:
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))
        async with committing(settings(), Memory()) as running, client(running) as sender:
            await sender.send("/json", b"{}")
            status, _, body = await sender.answer()
            assert status == 500
            assert b"secret" not in body
            assert b"Traceback" not in body
            assert await sender.post("/text", b"x") == 204
        assert [type(fault) for fault in faults] == [ZeroDivisionError]

    asyncio.run(run())


def test_people_are_told_of_each_kind_of_trouble_once_and_without_the_token(token: dict[str, object]) -> None:
    async def run() -> Memory:
        memory = Memory()
        async with committing(settings(**token), memory) as running:
            port = await port_of(running)
            for _ in range(3):
                for path in ("/text", f"/{TOKEN}x/text", f"/{TOKEN}/nowhere", f"/{TOKEN}/logplex"):
                    async with client(running) as sender:
                        await sender.post(path, b"no frame")
            assert memory.notices[0] == f"web listens on 127.0.0.1:{port}."
            assert running.source.health().counters["refused"] == 9
            assert running.source.health().counters["damaged"] == 3
        return memory

    _, *told = asyncio.run(run()).notices
    assert [sentence.partition(")")[0] for sentence in told] == [
        "web: A request was refused (401",
        "web: A request was refused (404",
        "web: A request to /logplex had records that could not be read.",
    ]
    assert TOKEN not in "".join(told)


def test_the_elasticsearch_client_that_is_told_of_an_error_reads_it() -> None:
    async def run() -> None:
        async with committing(settings(body="1MiB"), Memory()) as running, client(running) as sender:
            await sender.send("/_bulk", bytes((1 << 20) + 1))
            status, headers, body = await sender.answer()
            assert (status, headers["x-elastic-product"]) == (413, "Elasticsearch")
            assert json.loads(body)["status"] == 413

    asyncio.run(run())
