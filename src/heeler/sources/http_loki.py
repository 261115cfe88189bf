r"""Pushes to Loki, as JSON or as snappy-compressed protobuf: promtail, Alloy, Vector, Fluent Bit, python-logging-loki.

Source: grafana/loki, docs/sources/reference/loki-http-api.md, and the messages of its pkg/push/push.proto.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from heeler.sources.http_body import decompressed
from heeler.sources.http_lines import key_of, named_by
from heeler.sources.http_records import NANOSECONDS, digest_key, line_of, stamp
from heeler.sources.http_request import Decoded, Lines, Refused, Request, Response, first_name

GROUP: Final = ("service_name", "service", "app", "application", "job", "group")
STREAM: Final = ("instance", "pod", "host", "hostname", "filename", "container")
"""The labels that name group and stream, the first that there is."""

_HOST: Final = ("host", "hostname", "instance")
_SEVERITY: Final = ("level", "severity", "detected_level")
_MOST_DECODED_BYTES: Final = 64 << 20
_TAKEN: Final = Response(204)
_READY: Final = Response(200, b"ready\n")
_LABEL: Final = re.compile(r'([A-Za-z_][A-Za-z0-9_.:]*)\s*=\s*("(?:[^"\\]|\\.)*")')

_FIELD = descriptor_pb2.FieldDescriptorProto
_MESSAGES: Final = {
    "Pair": (("name", _FIELD.TYPE_STRING, ""), ("value", _FIELD.TYPE_STRING, "")),
    "Time": (("seconds", _FIELD.TYPE_INT64, ""), ("nanos", _FIELD.TYPE_INT32, "")),
    # Bytes, not text: a line in another encoding must not make the whole push unreadable.
    "Entry": (("time", _FIELD.TYPE_MESSAGE, "Time"), ("line", _FIELD.TYPE_BYTES, ""), ("metadata", -1, "Pair")),
    "Stream": (("labels", _FIELD.TYPE_STRING, ""), ("entries", -1, "Entry")),
    "Push": (("streams", -1, "Stream"),),
}
"""The fields of each message, numbered from 1: name, type (-1 for a list of messages), and of which message."""


def _push_class() -> type[Message]:
    file = descriptor_pb2.FileDescriptorProto(name="heeler/loki_push.proto", package="heeler.loki", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind, of) in enumerate(fields, 1):
            made = message.field.add(name=field, number=number, label=_FIELD.LABEL_OPTIONAL)
            made.type = cast("Any", kind if kind > 0 else _FIELD.TYPE_MESSAGE)
            if kind < 0:
                made.label = _FIELD.LABEL_REPEATED
            if of:
                made.type_name = f".heeler.loki.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("heeler.loki.Push"))


Push: Final = _push_class()
"""The message that a push is."""


class Loki:
    """``POST /loki/api/v1/push``. Each entry becomes a line of JSON with its labels; see `http_records`."""

    def decode(self, request: Request, lines: Lines) -> Decoded:
        """See `Receiver.decode`."""
        if request.method == "GET":
            return Decoded(_READY)
        named = named_by(request)
        if request.media_type == "application/json":
            complete, damaged = _json(request.body, named, lines)
        else:
            _protobuf(request, named, lines)
            complete, damaged = True, 0
        key = key_of(request) or (
            digest_key("loki", *(name.encode() for name in named), request.body) if complete else ""
        )
        return Decoded(_TAKEN, key, damaged)

    def refuse(self, _: Request, refused: Refused) -> Response:
        """See `Receiver.refuse`."""
        return refused.response()


def _protobuf(request: Request, named: tuple[str, str], lines: Lines) -> None:
    # Said or not, the body is compressed: no sender of Loki's sends it otherwise.
    is_packed = request.headers.get("content-encoding", "").strip().lower() != "snappy"
    body = decompressed(request.body, "snappy", _MOST_DECODED_BYTES) if is_packed else request.body
    push: Any = Push()
    try:
        push.ParseFromString(body)
    except DecodeError as error:
        raise Refused(400, f"The body is no PushRequest of Loki ({error}).") from error
    for stream in push.streams:
        labels = labels_of(stream.labels)
        for entry in stream.entries:
            time_ns = entry.time.seconds * NANOSECONDS + entry.time.nanos
            metadata = {pair.name: pair.value for pair in entry.metadata}
            text = entry.line.decode("utf-8", "backslashreplace")
            _add(named, labels, (stamp(time_ns), text, metadata), lines)


def labels_of(text: str) -> dict[str, Any]:
    """Read labels as Prometheus writes them: ``{job="a", host="b"}``."""
    return {name: _unquoted(quoted) for name, quoted in _LABEL.findall(text)}


def _unquoted(quoted: str) -> str:
    try:
        return cast("str", orjson.loads(quoted))
    except orjson.JSONDecodeError:  # Go has escapes that JSON has not
        return quoted[1:-1]


def _json(body: bytes, named: tuple[str, str], lines: Lines) -> tuple[bool, int]:
    """Add the lines of a push; return whether each entry has a time, and how many are no entries."""
    try:
        push = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"The body is no JSON ({error}).") from error
    streams = push.get("streams") if isinstance(push, dict) else None
    if not isinstance(streams, list):
        raise Refused(400, 'The body is no push to Loki: it has no list of "streams".')
    complete, damaged = True, 0
    for stream in streams:
        labels = stream.get("stream") if isinstance(stream, dict) else None
        labels = labels if isinstance(labels, dict) else {}
        values = stream.get("values") if isinstance(stream, dict) else None
        for value in values if isinstance(values, list) else [stream]:
            if not isinstance(value, list) or len(value) < 2:
                # Nobody would send it again as it should be, so it is kept as it came.
                value, damaged = ["", value], damaged + 1  # noqa: PLW2901 - the same entry, readable
            given, metadata = str(value[0]), value[2] if len(value) > 2 and isinstance(value[2], dict) else {}
            is_stamp = given.isascii() and given.isdigit() and len(given) <= 20
            complete = complete and is_stamp
            entry = (stamp(int(given)) if is_stamp else given, value[1], metadata)
            _add(named, labels, entry, lines)
    return complete, damaged


def _add(
    names: tuple[str, str], labels: Mapping[str, Any], entry: tuple[str, object, Mapping[str, Any]], lines: Lines
) -> None:
    time, message, metadata = entry
    group, stream = names[0] or first_name(labels, GROUP), names[1] or first_name(labels, STREAM)
    found: dict[str, Any] = {"time": time} if time else {}
    if severity := first_name(metadata, _SEVERITY) or first_name(labels, _SEVERITY):
        found["severity"] = severity
    found["message"] = message
    if service := first_name(labels, GROUP):
        found["service"] = service
    if host := first_name(labels, _HOST):
        found["host"] = host
    found["labels"] = labels
    if metadata:
        found["metadata"] = metadata
    lines.add(group, stream, line_of(found))
