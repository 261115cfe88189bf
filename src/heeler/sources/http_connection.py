"""One connection of an http source: HTTP/1.1 read by httptools, within limits of size and time."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qsl, unquote

import httptools

from heeler.clock import Clock
from heeler.sources.http_request import Refused, Request, Response, too_busy

NEVER = float("inf")
LINGER_SECONDS = 2.0
"""How long a refused sender may go on sending before it is cut off: closed at once, it would not read why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may take. Times in seconds: for a whole head, a whole body, and between two requests."""

    head_bytes: int
    body_bytes: int
    head_seconds: float
    body_seconds: float
    idle_seconds: float


class Handler(Protocol):
    """What requests are brought to."""

    def admit(self, head: Request) -> None:
        """Look at a request of which only the head is here. Raises `Refused` where its body is not wanted."""
        ...

    def take(self, size: int) -> bool:
        """Count bytes of bodies that are held; return False where there is no room."""
        ...

    def give_back(self, size: int) -> None:
        """Count bytes of bodies less."""
        ...

    async def answer(self, request: Request) -> Response:
        """Return the answer to a whole request, and count the bytes of its body no more when it needs them no more."""
        ...

    def refuse(self, head: Request, refused: Refused) -> Response:
        """Return how a refusal is told."""
        ...


class Connection(asyncio.Protocol):
    """Reads requests and writes answers, in their order. Whoever made it calls `expire` when `deadline` has passed.

    Nothing is read on while a request is answered, so what waits in memory is one body and one read of the socket.
    """

    def __init__(self, handler: Handler, limits: Limits, clock: Clock, left: Callable[["Connection"], None]) -> None:
        self._handler, self._limits, self._clock, self._left = handler, limits, clock, left
        self.deadline = clock.monotonic() + limits.head_seconds
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._ready: deque[Request | Response] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._ends = False  # after the answers that are ready the connection is closed
        self._refused = False  # what comes is not looked at any more
        self._complete = True  # no request has begun that has not come to its end
        self._raw_bytes = 0
        self._begin()

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for the head of a request: then nothing is lost if it is dropped for another."""
        return self._answering is None and not self._in_body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(transport)
        self._transport = transport
        self._begin_to_answer()  # behind a TLS handshake the first request may be here before this

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        """See `asyncio.Protocol`."""
        self._forget_body()
        while self._ready:
            if isinstance(item := self._ready.popleft(), Request):
                self._handler.give_back(len(item.body))
        if self._answering is not None:
            self._answering.cancel()
        self._left(self)

    def eof_received(self) -> bool:
        """Answer what was asked, where only the other way was closed; TLS knows no such thing."""
        self._ends = True
        is_tls = self._transport is not None and self._transport.get_extra_info("sslcontext") is not None
        return self._answering is not None and not is_tls

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._can_write.set()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._complete and not self._raw_bytes and self._answering is None:
            self.deadline = self._clock.monotonic() + self._limits.head_seconds
        self._raw_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._ends = True  # it is answered in HTTP/1.1, and what follows is not that
        except httptools.HttpParserCallbackError:
            raise  # a fault of ours, which asyncio tells, closing the connection
        except httptools.HttpParserError as error:
            self._refuse(Refused(400, f"This is no HTTP/1.1 request: {error}."))
        most = self._limits.head_bytes if not self._in_body else 2 * self._limits.body_bytes + self._limits.head_bytes
        if self._raw_bytes > most and not self._refused:
            status = (
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE if self._in_body else HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            )
            self._refuse(Refused(status, f"The request is larger than {most:,} bytes."))

    def expire(self) -> None:
        """Drop the connection: it has not done in time what it had to."""
        if self._transport is not None:
            self._transport.abort()

    def end(self) -> None:
        """Close the connection as soon as everything that is being answered is."""
        self._ends = True
        if self._answering is None and self._transport is not None:
            self._transport.close()

    # --- what the parser calls ---

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._head_bytes = 0
        self._head = Request("", "")
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._in_body = False

    def on_message_begin(self) -> None:
        """See httptools."""
        self._complete = False
        self._begin()

    def on_url(self, url: bytes) -> None:
        """See httptools."""
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools. What comes behind the body is left out."""
        self._count_head(len(name) + len(value))
        if not self._in_body and not self._refused:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._in_body = True
        self._raw_bytes = 0
        if self._refused:
            return
        path, _, query = self._url.decode("latin-1").partition("?")
        method = self._parser.get_method().decode("latin-1")
        self._head = Request(method, unquote(path), dict(parse_qsl(query, keep_blank_values=True)), self._headers)
        if self._answering is None:
            self.deadline = self._clock.monotonic() + self._limits.body_seconds
        try:
            self._check_length()
            self._handler.admit(self._head)
        except Refused as refused:
            self._refuse(refused)
            return
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        if self._refused:
            return
        if self._body_bytes + len(body) > self._limits.body_bytes:
            self._refuse(self._too_large())
        elif not self._handler.take(len(body)):
            self._refuse(too_busy())
        else:
            self._body.append(body)
            self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        self._complete = True
        self._raw_bytes = 0
        self._in_body = False
        if self._refused:
            if self._answering is None and self._transport is not None:
                self._transport.close()
            return
        self._ends = self._ends or not self._parser.should_keep_alive()
        head = self._head
        body, self._body, self._body_bytes = b"".join(self._body), [], 0
        self._put(Request(head.method, head.path, head.query, head.headers, body))

    # --- what follows from it ---

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._limits.head_bytes:
            most = self._limits.head_bytes
            self._refuse(Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The head is over {most:,} bytes."))

    def _check_length(self) -> None:
        length = self._headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._limits.body_bytes:
            raise self._too_large()

    def _too_large(self) -> Refused:
        most = self._limits.body_bytes
        return Refused(413, f"The body is larger than {most:,} bytes. Send less at once.")

    def _refuse(self, refused: Refused) -> None:
        """Answer what was not read to its end, and read no more requests."""
        if self._refused:
            return
        self._refused = self._ends = True
        self._forget_body()
        self._put(self._handler.refuse(self._head, refused))

    def _put(self, item: Request | Response) -> None:
        self._ready.append(item)
        self._begin_to_answer()

    def _begin_to_answer(self) -> None:
        if self._ready and self._answering is None and self._transport is not None:
            self._transport.pause_reading()
            self._answering = asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self) -> None:
        while self._ready:
            item = self._ready.popleft()
            self.deadline = NEVER
            is_head = isinstance(item, Request) and item.method == "HEAD"
            response = await self._handler.answer(item) if isinstance(item, Request) else item
            self._write(response, closes=self._ends and not self._ready, is_head=is_head)
            self.deadline = self._clock.monotonic() + self._limits.idle_seconds
            await self._can_write.wait()
        self._answering = None
        self._go_on()

    def _go_on(self) -> None:
        """Read on when everything is answered, or close."""
        if self._transport is None:
            return
        if self._ends and self._complete:
            self._transport.close()
            return
        if self._refused:
            seconds = LINGER_SECONDS
        elif self._complete:
            seconds = self._limits.idle_seconds
        else:
            seconds = self._limits.body_seconds if self._in_body else self._limits.head_seconds
        self.deadline = self._clock.monotonic() + seconds
        self._transport.resume_reading()

    def _write(self, response: Response, *, closes: bool, is_head: bool) -> None:
        if self._transport is None:
            return
        reason = HTTPStatus(response.status).phrase
        head = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {text}" for name, text in response.headers.items())]
        head.append(f"Date: {formatdate(self._clock.now_us() / 1e6, usegmt=True)}")
        if response.status != HTTPStatus.NO_CONTENT:
            head += [f"Content-Type: {response.content_type}", f"Content-Length: {len(response.body)}"]
        if closes:
            head.append("Connection: close")
        data = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n"
        self._transport.write(data if is_head else data + response.body)

    def _forget_body(self) -> None:
        self._handler.give_back(self._body_bytes)
        self._body, self._body_bytes = [], 0
