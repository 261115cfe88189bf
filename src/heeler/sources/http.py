"""Lines that are sent over HTTP: one listener, a path for each protocol, and an answer only after the commit."""

import asyncio
import hmac
import re
import ssl
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from heeler.config.values import Duration, PathIn, Secret, Size
from heeler.errors import UsageError
from heeler.model import CHUNK_BYTES, LONGEST_LINE_BYTES, Chunk, Position
from heeler.sources import SourceContext, SourceHealth
from heeler.sources.file_lines import whole_lines
from heeler.sources.http_batches import PART, Batches, hear
from heeler.sources.http_body import decompressed
from heeler.sources.http_connection import Limits
from heeler.sources.http_elasticsearch import ElasticsearchBulk, ElasticsearchProbes
from heeler.sources.http_lines import JsonLines, PlainText
from heeler.sources.http_listener import Listener
from heeler.sources.http_logplex import Logplex
from heeler.sources.http_loki import Loki
from heeler.sources.http_otlp import Otlp
from heeler.sources.http_request import Decoded, Lines, Receiver, Refused, Request, Response, too_busy
from heeler.sources.listening import Address, address_of
from heeler.sources.settings import SourceSettings

PROTOCOLS: Final[Mapping[str, Receiver]] = {
    r"POST /logplex": Logplex(),
    r"POST /v1/logs": Otlp(),
    r"POST /loki/api/v1/push": Loki(),
    r"GET (?:/loki(?:/api/v1)?)?/ready": Loki(),
    r"(?:POST|PUT) (?:/[^/_][^/]*)?/_bulk": ElasticsearchBulk(),
    r"POST /json": JsonLines(),
    r"POST /text": PlainText(),
    r"(?:GET|HEAD) /": ElasticsearchProbes(),
    r"(?:GET|HEAD|PUT) /_(?:license|xpack|cluster|nodes|ilm|index_template|component_template|template|ingest"
    r"|data_stream|alias|logstash)(?:/.*)?": ElasticsearchProbes(),
    r"HEAD /[^/_][^/]*": ElasticsearchProbes(),
}
"""Who takes a request, by its method and path. Adding a protocol is a file and a line here."""

_ROUTES: Final = tuple((re.compile(pattern), receiver) for pattern, receiver in PROTOCOLS.items())

SHORTEST_TOKEN: Final = 16
DECODED_PER_BODY: Final = 4
"""Records may take so many times the largest body as lines: each carries what the body has once for all of them."""

DECODERS: Final = 2
"""So many bodies are decompressed and decoded at once; this bounds the memory that it takes."""


class HttpSettings(SourceSettings):
    """A listener for Heroku drains, OTLP, Loki, Elasticsearch bulk, JSON lines and plain text."""

    kind: Literal["http"] = "http"
    """What kind of source it is."""

    listen: str = "127.0.0.1:8514"
    """Where it listens, as HOST:PORT. An address that other machines reach needs a token."""

    token: Secret | None = None
    """What senders must know: as a bearer token, as the password of any user, or in front of the path."""

    tls_certificate: PathIn | None = None
    """A file with the certificate chain in PEM; with it the listener speaks TLS only."""

    tls_key: PathIn | None = None
    """A file with the private key in PEM, where it is not in that of the certificate."""

    body: Size = Field(default=16 << 20, ge=1 << 10, le=1 << 30)
    """The largest body that is taken, decompressed."""

    in_flight: Size = Field(default=64 << 20, ge=1 << 20)
    """How much may wait to be stored; what comes then is answered with 503."""

    head: Size = Field(default=32 << 10, ge=1 << 10, le=1 << 20)
    """The largest head (request line and headers) that is taken."""

    connections: int = Field(default=1024, ge=1)
    """How many connections there may be."""

    head_timeout: Duration = Field(default=10.0, gt=0)
    """How long a sender may take for a TLS handshake, and for the head of a request."""

    body_timeout: Duration = Field(default=60.0, gt=0)
    """How long a sender may take for a body."""

    idle_timeout: Duration = Field(default=90.0, gt=0)
    """How long a connection may wait for its next request."""

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        address_of(value)
        return value

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.token is None and not self.address.is_loopback:
            raise ValueError(
                f'Other machines reach {self.listen}, so senders need a token: write token = "${{NAME}}" or '
                'token = "file:PATH", or listen on 127.0.0.1.'
            )
        if self.token is not None and not re.fullmatch(
            rf"[!-.0-~]{{{SHORTEST_TOKEN},}}", self.token.get_secret_value()
        ):
            raise ValueError(
                f"The token must be {SHORTEST_TOKEN} or more letters, digits and signs without a space or slash; "
                "`openssl rand -hex 24` makes one."
            )
        if self.body > self.in_flight:
            raise ValueError(f"A body may have {self.body:,} bytes, and only {self.in_flight:,} may be in flight.")
        if self.tls_key is not None and self.tls_certificate is None:
            raise ValueError("tls_key is given without tls_certificate.")
        return self

    @property
    def address(self) -> Address:
        """Where it listens."""
        return address_of(self.listen)

    def open(self, context: SourceContext) -> "HttpSource":
        """See `SourceSettings.open`. The socket is opened when the source is read."""
        return HttpSource(self, context)


class HttpSource:
    """The source of an http listener. See `heeler.sources.Source` and docs/http.md.

    A request is admitted by its head, its body is decompressed and decoded in a worker thread, and the answer waits
    for `committed`.
    """

    def __init__(self, settings: HttpSettings, context: SourceContext) -> None:
        """Make it, without listening. Raises `UsageError` where the files for TLS cannot be used."""
        self._settings, self._context = settings, context
        self._token = settings.token.get_secret_value().encode() if settings.token else b""
        known = context.positions.get(PART, {}).get("batch")
        self._batches = Batches(known if isinstance(known, int) else 0, settings.in_flight, context.seen)
        self._decoding = asyncio.Semaphore(DECODERS)
        limits = Limits(
            settings.head, settings.body, settings.head_timeout, settings.body_timeout, settings.idle_timeout
        )
        secured = _secured(settings)
        self._listener = Listener(self, limits, context.clock, most=settings.connections, secured=secured)
        self._counters = dict.fromkeys(("requests", "refused", "damaged"), 0)
        self._last_error = ""
        self._told_kinds: set[str] = set()
        self.port = 0
        """On which port it listens, once it is read."""

    async def read(self) -> AsyncIterator[Chunk]:
        """See `Source.read`."""
        self.port = await self._listener.open(self._settings.address)
        self._context.notice(f"{self._context.name} listens on {replace(self._settings.address, port=self.port)}.")
        while (chunk := await self._batches.next()) is not None:
            yield chunk

    async def committed(self, positions: Mapping[str, Position]) -> None:
        """See `Source.committed`. This lets the requests be answered."""
        number = positions.get(PART, {}).get("batch")
        if isinstance(number, int):
            self._batches.committed(number)

    async def stop(self) -> None:
        """See `Source.stop`."""
        await self.close()

    async def close(self) -> None:
        """See `Source.close`. What was given to the caller may still be committed and answered for some seconds."""
        self._batches.close()
        self._listener.close()

    def health(self) -> SourceHealth:
        """See `Source.health`."""
        listener = self._listener
        return SourceHealth(
            alive=listener.is_open,
            doing=f"listens on {self._settings.listen}, {listener.connections} connections",
            lag_bytes=self._batches.bytes,
            last_error=self._last_error or listener.last_error,
            counters={**self._counters, "repeated": self._batches.repeated, **listener.counters},
        )

    # --- what a connection calls: see http_connection.Handler ---

    def admit(self, head: Request) -> None:
        """Refuse what need not be read: of strangers, for nobody, from a web page, or more than there is room for."""
        request = self._named(head)
        if "origin" in head.headers and not self._token:
            raise Refused(403, "Web pages cannot send here: the request has an Origin.")
        if _receiver(request) is None:
            raise Refused(404, f"Nothing is taken by {request.method} at this path; docs/http.md lists the protocols.")
        if not self._batches.is_open:
            raise too_busy()

    def take(self, size: int) -> bool:
        """See `Batches.take`."""
        return self._batches.take(size)

    def give_back(self, size: int) -> None:
        """See `Batches.give_back`."""
        self._batches.give_back(size)

    async def answer(self, request: Request) -> Response:
        """Decode a request, and answer it when its lines are durable."""
        self._counters["requests"] += 1
        request = self._named(request)
        receiver = _receiver(request) or _UNKNOWN
        held = len(request.body)
        decoding = asyncio.ensure_future(self._decoded(receiver, request))
        decoding.add_done_callback(hear)
        request = replace(request, body=b"")
        try:
            try:
                decoded, chunks = await asyncio.shield(decoding)
            except BaseException:
                decoding.add_done_callback(lambda _: self.give_back(held))
                raise
            if decoded.damaged:
                self._counters["damaged"] += decoded.damaged
                self._tell("damaged", f"A request to {request.path} had records that could not be read.")
            await self._batches.store(chunks, decoded.key, held)
        except Refused as refused:
            return self._told(receiver, request, refused)
        except Exception as error:  # noqa: BLE001 - a sender is told nothing of our faults, and others go on
            loop = asyncio.get_running_loop()
            loop.call_exception_handler({"message": f"A request to {request.path} failed", "exception": error})
            return self._told(receiver, request, Refused(500, "Heeler failed at this request; its own log says how."))
        return decoded.response

    def refuse(self, head: Request, refused: Refused) -> Response:
        """Return how a refusal is told to whoever sent this head."""
        try:
            request = self._named(head)
        except Refused:
            request = head
        return self._told(_receiver(request) or _UNKNOWN, request, refused)

    def _told(self, receiver: Receiver, request: Request, refused: Refused) -> Response:
        self._counters["refused"] += 1
        self._tell(str(refused.status), f"A request was refused ({refused.status}). {refused}")
        return receiver.refuse(request, refused)

    def _tell(self, kind: str, sentence: str) -> None:
        """Tell people of each kind of trouble once; the counters tell how often, and the health the last one."""
        self._last_error = sentence
        if kind not in self._told_kinds:
            self._told_kinds.add(kind)
            self._context.notice(f"{self._context.name}: {sentence}")

    async def _decoded(self, receiver: Receiver, request: Request) -> tuple[Decoded, Sequence[Chunk]]:
        """Decompress and decode when it is this request's turn."""
        async with self._decoding:
            return await asyncio.to_thread(self._decode, receiver, request)

    def _decode(self, receiver: Receiver, request: Request) -> tuple[Decoded, Sequence[Chunk]]:
        most = self._settings.body
        body = decompressed(request.body, request.headers.get("content-encoding", ""), most)
        lines = Lines(DECODED_PER_BODY * most)
        decoded = receiver.decode(replace(request, body=body), lines)
        received_us = self._context.clock.now_us()
        chunks = [
            Chunk(PART, data, {}, received_us, piece=piece, group=group, stream=stream)
            for (group, stream), text in lines.joined().items()
            for data, piece in pieces(text)
        ]
        return decoded, chunks

    def _named(self, request: Request) -> Request:
        """Return a request of somebody who knows the token, without it. Raises `Refused` for anybody else."""
        if not self._token:
            return request
        first, _, rest = request.path.removeprefix("/").partition("/")
        if hmac.compare_digest(first.encode(), self._token):
            return replace(request, path=f"/{rest}")
        if not hmac.compare_digest(_given(request.headers.get("authorization", "")), self._token):
            raise Refused(
                401, "The token is missing or wrong: send it as a bearer token, as a password, or in the path."
            )
        return request


def _given(authorization: str) -> bytes:
    """Return the token of an ``Authorization`` header; empty where there is none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode()
    if scheme.lower() == "basic":
        try:
            return b64decode(value.strip(), validate=True).partition(b":")[2]
        except Base64Error:
            return b""
    return b""


def _receiver(request: Request) -> Receiver | None:
    asked = f"{request.method} {request.path.rstrip('/') or '/'}"
    return next((receiver for pattern, receiver in _ROUTES if pattern.fullmatch(asked)), None)


def pieces(text: bytes) -> list[tuple[bytes, bool]]:
    """Cut whole lines to what a chunk may have: ``(data, whether the line goes on in the next)``."""
    found, at = [], 0
    while at < len(text):
        some = text[at : at + CHUNK_BYTES]
        length = whole_lines(some, LONGEST_LINE_BYTES)
        found.append((some[: length or LONGEST_LINE_BYTES], not length))
        at += length or LONGEST_LINE_BYTES
    return found


def _secured(settings: HttpSettings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None:
        return None
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        secured.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"The certificate {settings.tls_certificate} and its key cannot be used ({error}). tls_certificate is a "
            "PEM file of the chain, tls_key one of the key without a password."
        ) from error
    return secured


_UNKNOWN: Final = PlainText()
"""By whom is refused what no protocol takes: in plain words."""
