"""OpenTelemetry logs over HTTP, as protobuf or JSON: every OpenTelemetry SDK and collector, Heroku's telemetry drains.

Source: opentelemetry-proto, docs/specification.md and logs.proto; its mapping to JSON writes ids in hex.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from heeler.sources.http_lines import key_of, named_by
from heeler.sources.http_records import SEVERITIES, digest_key, line_of, stamp
from heeler.sources.http_request import Decoded, Lines, Refused, Request, Response, first_name

GROUP: Final = ("service.name",)
STREAM: Final = ("service.instance.id", "host.name", "k8s.pod.name", "container.id")
"""The attributes of a resource that name group and stream, the first that it has."""

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
_MOST_DEPTH: Final = 64


class Otlp:
    """``POST /v1/logs``. Each record becomes a line of JSON with its resource and scope; see `http_records`."""

    def decode(self, request: Request, lines: Lines) -> Decoded:
        """See `Receiver.decode`."""
        named = named_by(request)
        if request.media_type == JSON:
            complete, rejected = _Json(named, lines).read(request.body)
        elif request.media_type == PROTOBUF:
            complete, rejected = _Protobuf(named, lines).read(request.body), 0
        else:
            raise Refused(415, f"The Content-Type {request.media_type[:80]!r} is not OTLP; send {PROTOBUF} or {JSON}.")
        key = key_of(request) or (
            digest_key("otlp", *(name.encode() for name in named), request.body) if complete else ""
        )
        return Decoded(self._response(request, rejected), key, rejected)

    def refuse(self, request: Request, refused: Refused) -> Response:
        """See `Receiver.refuse`. The body is a ``google.rpc.Status``, of which ``message`` is field 2."""
        if request.media_type == PROTOBUF:
            sentence = str(refused).encode()
            return refused.response(b"\x12" + _varint(len(sentence)) + sentence, PROTOBUF)
        return refused.response(orjson.dumps({"message": str(refused)}), JSON)

    @staticmethod
    def _response(request: Request, rejected: int) -> Response:
        reason = "Records that are no JSON objects were left out." if rejected else ""
        if request.media_type == JSON:
            partial = {"partialSuccess": {"rejectedLogRecords": str(rejected), "errorMessage": reason}}
            return Response(200, orjson.dumps(partial if rejected else {}), JSON)
        return Response(200, ExportLogsServiceResponse().SerializeToString(), PROTOBUF)


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes((number & 0x7F | 0x80,))
        number >>= 7
    return found + bytes((number,))


def _names(resource: Mapping[str, Any], named: tuple[str, str]) -> tuple[str, str]:
    return named[0] or first_name(resource, GROUP), named[1] or first_name(resource, STREAM)


def _of_resource(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the resource says of each of its records: under the names that every log knows, and whole."""
    known = {"service": first_name(attributes, GROUP), "host": first_name(attributes, ("host.name",))}
    return {name: text for name, text in known.items() if text} | {"resource": orjson.Fragment(_json(attributes))}


def _json(value: Mapping[str, Any]) -> bytes:
    return line_of(value).rstrip(b"\n")


class _Protobuf:
    def __init__(self, named: tuple[str, str], lines: Lines) -> None:
        self._named, self._lines = named, lines

    def read(self, body: bytes) -> bool:
        """Add the lines of a request; return whether each of its records has a time."""
        message = ExportLogsServiceRequest()
        try:
            message.ParseFromString(body)
        except DecodeError as error:
            raise Refused(400, f"The body is no ExportLogsServiceRequest ({error}).") from error
        complete = True
        for resource_logs in message.resource_logs:
            attributes = _attributes(resource_logs.resource.attributes)
            names, common = _names(attributes, self._named), _of_resource(attributes)
            for scope_logs in resource_logs.scope_logs:
                scope = scope_logs.scope
                told: dict[str, Any] = {}
                if scope.name or scope.attributes:
                    about = {"name": scope.name, "version": scope.version, "attributes": _attributes(scope.attributes)}
                    told = {"scope": orjson.Fragment(_json({name: one for name, one in about.items() if one}))}
                shared = {**common, **told}
                for record in scope_logs.log_records:
                    complete = bool(record.time_unix_nano or record.observed_time_unix_nano) and complete
                    self._lines.add(*names, line_of(_record(record, shared)))
        return complete


def _record(record: Any, shared: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - protobuf makes its classes
    time_ns = record.time_unix_nano or record.observed_time_unix_nano
    message = record.body.string_value or _value(record.body)
    found = _told(time_ns, record.severity_number, record.severity_text, message)
    found.update(shared)
    if record.attributes:
        found["attributes"] = _attributes(record.attributes)
    if record.trace_id:
        found["trace_id"] = record.trace_id.hex()
    if record.span_id:
        found["span_id"] = record.span_id.hex()
    if record.flags:
        found["flags"] = record.flags
    if record.event_name:
        found["event"] = record.event_name
    if record.dropped_attributes_count:
        found["dropped_attributes"] = record.dropped_attributes_count
    return found


def _told(time_ns: int, number: int, text: object, message: object) -> dict[str, Any]:
    """Return what a line of each record begins with."""
    found: dict[str, Any] = {"time": stamp(time_ns)} if time_ns else {}
    if 0 < number <= len(SEVERITIES):
        found["severity"] = SEVERITIES[number - 1]
        if text and text != found["severity"]:
            found["severity_text"] = text
    elif text:
        found["severity"] = text
    found["message"] = "" if message is None else message
    return found


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: pair.value.string_value or _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:  # noqa: ANN401 - anything that an AnyValue holds
    kind = value.WhichOneof("value")
    return _VALUES[kind](value) if kind in _VALUES else None


_VALUES: Final[Mapping[str | None, Callable[[Any], Any]]] = {
    "string_value": lambda value: value.string_value,
    "bool_value": lambda value: value.bool_value,
    "int_value": lambda value: value.int_value,
    "double_value": lambda value: value.double_value,
    "bytes_value": lambda value: base64.b64encode(value.bytes_value).decode(),
    "array_value": lambda value: [_value(one) for one in value.array_value.values],
    "kvlist_value": lambda value: _attributes(value.kvlist_value.values),
}


class _Json:
    """The same of JSON, where nothing is sure to be what it should be. A record that is no object is rejected."""

    def __init__(self, named: tuple[str, str], lines: Lines) -> None:
        self._named, self._lines = named, lines
        self._complete, self._rejected = True, 0

    def read(self, body: bytes) -> tuple[bool, int]:
        """Add the lines of a request; return whether each record has a time, and how many were rejected."""
        try:
            message = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Refused(400, f"The body is no JSON ({error}).") from error
        if not isinstance(message, dict):
            raise Refused(400, "The body is no ExportLogsServiceRequest: it is no JSON object.")
        for resource_logs in self._objects(message.get("resourceLogs")):
            attributes = _json_attributes(_object(resource_logs.get("resource")).get("attributes"))
            names, common = _names(attributes, self._named), _of_resource(attributes)
            for scope_logs in self._objects(resource_logs.get("scopeLogs")):
                scope = _object(scope_logs.get("scope"))
                about = {**scope, "attributes": _json_attributes(scope.get("attributes"))}
                told = {name: about[name] for name in ("name", "version", "attributes") if about.get(name)}
                shared = {**common, **({"scope": told} if told else {})}
                for record in self._objects(scope_logs.get("logRecords")):
                    self._add(record, names, shared)
        return self._complete, self._rejected

    def _objects(self, value: object) -> list[dict[str, Any]]:
        """Return the objects of a list, and count what is there instead of one."""
        found = _objects(value)
        self._rejected += len(value) - len(found) if isinstance(value, list) else value is not None
        return found

    def _add(self, record: Mapping[str, Any], names: tuple[str, str], shared: Mapping[str, Any]) -> None:
        time_ns = _number(record.get("timeUnixNano")) or _number(record.get("observedTimeUnixNano"))
        self._complete = self._complete and time_ns > 0
        number, text = _number(record.get("severityNumber")), record.get("severityText")
        found = _told(time_ns, number, text, _json_value(record.get("body")))
        found.update(shared)
        told = {
            "attributes": _json_attributes(record.get("attributes")),
            "trace_id": record.get("traceId"),
            "span_id": record.get("spanId"),
            "flags": record.get("flags"),
            "event": record.get("eventName"),
            "dropped_attributes": record.get("droppedAttributesCount"),
        }
        self._lines.add(*names, line_of(found | {name: value for name, value in told.items() if value}))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _number(value: object) -> int:
    """Read a 64-bit number, which JSON has as a number or as a text; 0 for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _json_attributes(pairs: object, depth: int = 0) -> dict[str, Any]:
    return {str(pair.get("key", "")): _json_value(pair.get("value"), depth) for pair in _objects(pairs)}


def _json_value(value: object, depth: int = 0) -> Any:  # noqa: ANN401 - anything that an AnyValue holds
    if not isinstance(value, dict) or depth > _MOST_DEPTH:
        return None
    if "intValue" in value:
        number = _number(str(value["intValue"]).removeprefix("-"))
        return -number if str(value["intValue"]).startswith("-") else number
    for kind in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
        if kind in value:
            return value[kind]
    if "arrayValue" in value:
        return [_json_value(one, depth + 1) for one in _objects(_object(value["arrayValue"]).get("values"))]
    return (
        _json_attributes(_object(value.get("kvlistValue")).get("values"), depth + 1) if "kvlistValue" in value else None
    )
