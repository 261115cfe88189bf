"""OTLP logs, by the SDK of OpenTelemetry and by the rules of its JSON."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from committing import Memory, committing, until
from heeler.formats.choose import FORMATS
from heeler.formats.lines import split
from heeler.sources.http import HttpSettings, HttpSource
from heeler.sources.http_otlp import Otlp
from heeler.sources.http_request import Decoded, Lines, Refused, Request

RECORD: dict[str, Any] = {
    "timeUnixNano": "1795342540598656444",
    "severityNumber": 18,
    "severityText": "Error",
    "body": {"stringValue": "two\nlines"},
    "attributes": [
        {"key": "n", "value": {"intValue": "-9007199254740993"}},
        {"key": "b", "value": {"boolValue": False}},
        {"key": "d", "value": {"doubleValue": 0.5}},
        {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "x"}, {"intValue": 2}]}}},
        {"key": "m", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": ""}}]}}},
    ],
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "flags": 1,
    "eventName": "ev",
}
REQUEST: dict[str, Any] = {
    "resourceLogs": [
        {
            "resource": {
                "attributes": [
                    {"key": "service.name", "value": {"stringValue": "api"}},
                    {"key": "host.name", "value": {"stringValue": "web1"}},
                ]
            },
            "scopeLogs": [{"scope": {"name": "lib", "version": "1"}, "logRecords": [RECORD]}],
        }
    ]
}
LINE: dict[str, Any] = {
    "time": "2026-11-22T10:15:40.598656444Z",
    "severity": "ERROR2",
    "severity_text": "Error",
    "message": "two\nlines",
    "service": "api",
    "host": "web1",
    "resource": {"service.name": "api", "host.name": "web1"},
    "scope": {"name": "lib", "version": "1"},
    "attributes": {"n": -9007199254740993, "b": False, "d": 0.5, "l": ["x", 2], "m": {"k": ""}},
    "trace_id": "5b8efff798038103d269b633813fc60c",
    "span_id": "eee19b7ec3c1b174",
    "flags": 1,
    "event": "ev",
}


def decoded(body: bytes, kind: str = "application/json") -> tuple[dict[tuple[str, str], bytes], Decoded]:
    lines = Lines(1 << 20)
    found = Otlp().decode(Request("POST", "/v1/logs", {}, {"content-type": kind}, body), lines)
    return dict(lines.joined()), found


def of_request(request: dict[str, Any]) -> bytes:
    """Encode a request in JSON as protobuf, field by field: protobuf itself would read ids as base64."""
    message = ExportLogsServiceRequest()
    for resource_logs in request["resourceLogs"]:
        made = message.resource_logs.add()
        for pair in resource_logs["resource"]["attributes"]:
            made.resource.attributes.add(key=pair["key"]).value.string_value = pair["value"]["stringValue"]
        for scope_logs in resource_logs["scopeLogs"]:
            scoped = made.scope_logs.add()
            scoped.scope.name, scoped.scope.version = scope_logs["scope"]["name"], scope_logs["scope"]["version"]
            for record in scope_logs["logRecords"]:
                one = scoped.log_records.add(
                    time_unix_nano=int(record["timeUnixNano"]),
                    severity_number=record["severityNumber"],
                    severity_text=record["severityText"],
                    trace_id=bytes.fromhex(record["traceId"]),
                    span_id=bytes.fromhex(record["spanId"]),
                    flags=record["flags"],
                    event_name=record["eventName"],
                )
                one.body.string_value = record["body"]["stringValue"]
                values = {pair["key"]: one.attributes.add(key=pair["key"]).value for pair in record["attributes"]}
                values["n"].int_value, values["b"].bool_value, values["d"].double_value = -9007199254740993, False, 0.5
                values["l"].array_value.values.add().string_value = "x"
                values["l"].array_value.values.add().int_value = 2
                values["m"].kvlist_value.values.add(key="k").value.string_value = ""
    return message.SerializeToString()


def test_json_and_protobuf_become_the_same_line_with_everything_typed() -> None:
    from_json, _ = decoded(json.dumps(REQUEST).encode())
    from_protobuf, _ = decoded(of_request(REQUEST), "application/x-protobuf")

    assert json.loads(from_json[("api", "web1")]) == LINE
    assert from_json == from_protobuf
    assert from_json[("api", "web1")].count(b"\n") == 1


def test_the_line_is_read_with_its_time_and_severity() -> None:
    lines, _ = decoded(json.dumps(REQUEST).encode())
    text = lines[("api", "web1")]
    [record] = FORMATS["pushed"].parse(split(text)).to_dicts()

    assert record["parsed"]
    assert record["time"].isoformat() == "2026-11-22T10:15:40.598656"
    assert (record["severity"], record["program"], record["host"]) == (18, "api", "web1")
    assert record["message"] == "two\nlines"
    assert record["attributes"] == text.decode().rstrip("\n")


def test_a_record_without_a_time_is_taken_and_its_batch_has_no_key() -> None:
    record: dict[str, Any] = {"body": {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": 0}}]}}}
    request = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    lines, found = decoded(json.dumps(request).encode())

    assert [json.loads(line) for line in lines.values()] == [{"message": {"a": 0}, "resource": {}}]
    assert found.key == ""
    assert decoded(json.dumps(REQUEST).encode())[1].key != ""


def test_records_that_are_none_are_told_as_a_partial_success() -> None:
    request = {"resourceLogs": [{"scopeLogs": [{"logRecords": [RECORD, 5, None]}]}]}
    _, found = decoded(json.dumps(request).encode())

    assert found.response.status == 200
    assert json.loads(found.response.body)["partialSuccess"]["rejectedLogRecords"] == "2"


def test_one_large_resource_for_many_records_is_refused_before_it_fills_the_memory() -> None:
    message = ExportLogsServiceRequest()
    logs = message.resource_logs.add()
    logs.resource.attributes.add(key="a").value.string_value = "x" * 100_000
    scope = logs.scope_logs.add()
    for _ in range(1000):
        scope.log_records.add()

    with pytest.raises(Refused, match="Send fewer at once") as refused:
        decoded(message.SerializeToString(), "application/x-protobuf")
    assert refused.value.status == 413


def test_a_refusal_is_told_in_the_encoding_of_the_request() -> None:
    for kind in ("application/json", "application/x-protobuf"):
        request = Request("POST", "/v1/logs", {}, {"content-type": kind})
        told = Otlp().refuse(request, Refused(503, "later"))
        assert (told.status, told.content_type, told.headers["Retry-After"]) == (503, kind, "1")
        assert b"later" in told.body


def test_the_sdk_of_opentelemetry_exports_to_it() -> None:
    async def run() -> None:
        memory = Memory()
        async with committing(HttpSettings(listen="127.0.0.1:0"), memory) as running:
            source = running.source
            assert isinstance(source, HttpSource)
            await until(lambda: source.port > 0)
            for compression in Compression:
                await asyncio.to_thread(export, f"http://127.0.0.1:{source.port}/v1/logs", compression)
            assert source.health().counters["refused"] == 0

        lines = [json.loads(line) for line in memory.of("checkout", "web-1").splitlines()]
        assert [line["message"] for line in lines] == [f"order {number}" for number in range(700)] * len(Compression)
        assert {line["severity"] for line in lines} == {"WARN"}
        assert lines[3]["attributes"]["number"] == 3

    asyncio.run(run())


def export(endpoint: str, compression: Compression) -> None:
    resource = Resource({"service.name": "checkout", "service.instance.id": "web-1"})
    provider = LoggerProvider(resource, shutdown_on_exit=False)
    provider.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(endpoint=endpoint, compression=compression))
    )
    logger = provider.get_logger("shop")
    for number in range(700):
        logger.emit(
            timestamp=1_795_342_540_000_000_000 + number,
            severity_number=SeverityNumber.WARN,
            body=f"order {number}",
            attributes={"number": number},
        )
    provider.shutdown()


def answers_or_refuses(body: bytes, kind: str) -> None:
    try:
        lines, _ = decoded(body, kind)
    except Refused as refused:
        assert refused.status in {400, 413, 415}  # noqa: PT017 - it may be raised or not
    else:
        assert all(json.loads(line) for text in lines.values() for line in text.splitlines())


@given(st.binary(max_size=200))
def test_no_protobuf_raises_anything_else(body: bytes) -> None:
    answers_or_refuses(body, "application/x-protobuf")


@given(st.data())
def test_no_damaged_protobuf_raises_anything_else(data: st.DataObject) -> None:
    body = bytearray(of_request(REQUEST))
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    answers_or_refuses(bytes(body[: data.draw(st.integers(0, len(body)))]), "application/x-protobuf")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceLogs", "scopeLogs", "logRecords", "resource", "scope", "attributes", "key", "value"]
            )
            | st.sampled_from(list(RECORD))
            | st.sampled_from(["stringValue", "intValue", "arrayValue", "kvlistValue", "values"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_json_raises_anything_else(inner: object) -> None:
    for request in (
        inner,
        {"resourceLogs": inner},
        {"resourceLogs": [{"resource": inner, "scopeLogs": inner}]},
        {"resourceLogs": [{"scopeLogs": [{"scope": inner, "logRecords": inner}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [inner]}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": inner, "attributes": [inner]}]}]}]},
    ):
        answers_or_refuses(json.dumps(request).encode(), "application/json")


def test_what_is_nested_too_deeply_is_kept_or_refused() -> None:
    for depth in (60, 300, 2000, 100_000):
        answers_or_refuses(b'{"resourceLogs":' + b"[" * depth + b"]" * depth + b"}", "application/json")
        value = b'{"arrayValue":{"values":[' * depth + b"]}}" * depth
        record = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":' + value + b"}]}]}]}"
        answers_or_refuses(record, "application/json")
    answers_or_refuses(gzip.compress(b"x"), "application/json")
