"""What a protocol of the http source is given, and what it makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from heeler.errors import HeelerError

MOST_STREAMS: Final = 1000
"""Lines of one request for more streams than this go where lines go that name none: each stream costs a chunk."""

LONGEST_NAME: Final = 255
"""Names of groups and streams are cut here: they come from whoever sends."""

RETRY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Names of headers are in lower case; ``path`` is without a token; ``body`` is decompressed."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """What the body is said to be, without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(HeelerError):
    """A request is not taken: the HTTP status that says so, and a sentence for whoever sends."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may be taken later."""
        return self.status in {429, 503}

    def response(self, body: bytes | None = None, content_type: str = "text/plain; charset=utf-8") -> Response:
        """Return how this is told, in words or in the ``body`` that a protocol has for it."""
        headers = {"Retry-After": str(RETRY_SECONDS)} if self.is_temporary else {}
        return Response(self.status, f"{self}\n".encode() if body is None else body, content_type, headers)


def too_busy() -> Refused:
    """Return the refusal of what there is no room for now."""
    return Refused(503, "So much waits to be stored that there is no room for more now. Send it again in a moment.")


class Lines:
    """The lines of one request, by group and stream, as they are to be stored."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._found: dict[tuple[str, str], list[bytes]] = {}

    def add(self, group: str, stream: str, line: bytes) -> None:
        r"""Add one or more whole lines, each with its ``\n``. Raises `Refused` where all are more than may be."""
        self._bytes += len(line)
        if self._bytes > self._most_bytes:
            raise Refused(413, f"The records take more than {self._most_bytes:,} bytes as lines. Send fewer at once.")
        key = (group, stream)
        if (lines := self._found.get(key)) is None:
            if len(self._found) >= MOST_STREAMS:
                key = ("", "")
            lines = self._found.setdefault(key, [])
        lines.append(line)

    def joined(self) -> Mapping[tuple[str, str], bytes]:
        """Return the lines of each group and stream as one text, in the order in which these first came."""
        return {key: b"".join(lines) for key, lines in self._found.items()}


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a request says: ``response`` is for when its lines are stored, at once where it has none.

    ``key`` names the request, so that it is known when it comes again; empty where nothing does. ``damaged`` are the
    records that could not be read, whether they are kept as they came or were refused.
    """

    response: Response
    key: str = ""
    damaged: int = 0


class Receiver(Protocol):
    """One protocol: how the body of a request becomes lines, and how it is answered."""

    def decode(self, request: Request, lines: Lines) -> Decoded:
        """Add the lines of a request to ``lines``. Runs in a worker thread. Raises nothing but `Refused`."""
        ...

    def refuse(self, request: Request, refused: Refused) -> Response:
        """Tell that a request is not taken as those who speak this protocol understand it."""
        ...


def name_of(value: object) -> str:
    """Return what can be the name of a group or stream; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    return value.strip()[:LONGEST_NAME].encode("utf-8", "replace").decode()


def first_name(values: Mapping[str, object], names: tuple[str, ...]) -> str:
    """Return the first of ``values`` under one of the ``names`` that can be a name."""
    return next((name for key in names if (name := name_of(values.get(key)))), "")
