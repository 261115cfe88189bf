"""Heroku's Logplex: HTTPS drains of Cedar apps.

Source: heroku/logplex (README.http_drains.md, logplex_http_drain.erl), and Heroku's page on log drains.
"""

import re
from typing import Final

from heeler.sources.http_request import Decoded, Lines, Refused, Request, Response, name_of

_TAKEN: Final = Response(204)
_FRAME: Final = re.compile(rb"(\d{1,7}) ")
_PROCESS: Final = re.compile(rb"<\d{1,3}>1 \S+ \S+ \S+ (\S+) ")
_PERMANENT: Final = frozenset({401, 403, 404, 405})


class Logplex:
    r"""Frames of ``LENGTH SP MESSAGE``, of which each message becomes a line without its length.

    A message usually counts its own newline, but the one that Logplex puts in when it had to drop others does not; so
    only the length says where it ends. ``Logplex-Msg-Count`` is not looked at. A newline inside a message is written
    as ``\n``. Where the frames are not what they should be, the rest of the body is kept as it came: an answer
    that refuses it makes Logplex drop it. The stream is the process (``web.1``, ``router``), and the group what the
    address names: ``/logplex?group=APP``.
    """

    def decode(self, request: Request, lines: Lines) -> Decoded:
        """See `Receiver.decode`."""
        group, named = name_of(request.query.get("group", "")), name_of(request.query.get("stream", ""))
        body, at, damaged = request.body, 0, 0
        while at < len(body):
            if body.startswith(b"\n", at):  # of a message whose length does not count it
                at += 1
                continue
            head = _FRAME.match(body, at)
            end = head.end() + int(head[1]) if head else 0
            if head is None or end > len(body):
                damaged = 1
                self._add(body[at:].splitlines(), group, named, lines)
                break
            message = body[head.end() : end]
            self._add([message.removesuffix(b"\n").replace(b"\n", b"\\n")], group, named, lines)
            at = end
        return Decoded(_TAKEN, name_of(request.headers.get("logplex-frame-id", "")), damaged)

    @staticmethod
    def _add(messages: list[bytes], group: str, named: str, lines: Lines) -> None:
        for message in messages:
            process = _PROCESS.match(message)
            stream = named or (name_of(process[1].decode("utf-8", "replace")) if process else "")
            lines.add(group, stream, message + b"\n")

    def refuse(self, _: Request, refused: Refused) -> Response:
        """See `Receiver.refuse`. Of everything that Logplex may be told, only 429 and 5xx let it try again."""
        if refused.status in _PERMANENT or refused.is_temporary:
            return refused.response()
        return Refused(503, str(refused)).response()
