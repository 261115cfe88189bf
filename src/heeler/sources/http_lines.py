"""Lines as they are: JSON lines and plain text, by whatever can send a body."""

from typing import Final

import orjson

from heeler.sources.http_records import digest_key
from heeler.sources.http_request import Decoded, Lines, Refused, Request, Response, name_of

_TAKEN: Final = Response(204)


def named_by(request: Request) -> tuple[str, str]:
    """Return the group and stream that the query of an address names."""
    return name_of(request.query.get("group", "")), name_of(request.query.get("stream", ""))


def key_of(request: Request) -> str:
    """Return what a request is known by where its sender gives it a key; two may give the same to other lines."""
    given = request.headers.get("idempotency-key", "").strip()
    return digest_key("sent", *(text.encode() for text in (request.path, *named_by(request), given))) if given else ""


class PlainText:
    """A body of lines in any format. A last one without its newline gets it: a body is whole when it ends."""

    def decode(self, request: Request, lines: Lines) -> Decoded:
        """See `Receiver.decode`."""
        self.add(request.body, *named_by(request), lines)
        return Decoded(_TAKEN, key_of(request))

    def refuse(self, _: Request, refused: Refused) -> Response:
        """See `Receiver.refuse`."""
        return refused.response()

    @staticmethod
    def add(body: bytes, group: str, stream: str, lines: Lines) -> None:
        """Add a body as it came."""
        if body:
            lines.add(group, stream, body if body.endswith(b"\n") else body + b"\n")


class JsonLines(PlainText):
    """JSON objects, one a line, kept byte for byte, or one array of them, whose elements become lines.

    What is no JSON is kept as it came, too: its format tells then that it does not fit.
    """

    def decode(self, request: Request, lines: Lines) -> Decoded:
        """See `Receiver.decode`."""
        group, stream = named_by(request)
        damaged = 0
        body = request.body
        if body[:64].lstrip().startswith(b"["):
            try:
                body = b"".join(orjson.dumps(record) + b"\n" for record in orjson.loads(body))
            except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # the latter where it is nested too deeply
                damaged = 1
        self.add(body, group, stream, lines)
        return Decoded(_TAKEN, key_of(request), damaged)
