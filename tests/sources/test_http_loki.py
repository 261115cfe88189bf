"""Pushes to Loki, as JSON and as snappy-compressed protobuf."""

import asyncio
import json
import urllib.request
from typing import Any

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from committing import Memory, committing, until
from heeler.formats.choose import FORMATS, format_of
from heeler.formats.lines import split
from heeler.sources.http import HttpSettings, HttpSource
from heeler.sources.http_loki import Loki, Push, labels_of
from heeler.sources.http_request import Decoded, Lines, Refused, Request

TIME = "1795342540598656444"
BODY: dict[str, Any] = {
    "streams": [
        {
            "stream": {"job": "shop", "host": "web1", "level": "error"},
            "values": [[TIME, "two\nlines"], [TIME, "with metadata", {"trace": "5b", "level": "warn"}]],
        },
        {"stream": {"app": "other"}, "values": [[TIME, '{"msg":"inner","level":"debug"}']]},
    ]
}
"""The first stream is what python-logging-loki sends of two records."""

FIRST = {
    "time": "2026-11-22T10:15:40.598656444Z",
    "severity": "error",
    "message": "two\nlines",
    "service": "shop",
    "host": "web1",
    "labels": {"job": "shop", "host": "web1", "level": "error"},
}


def decoded(
    body: bytes, kind: str = "application/json", **headers: str
) -> tuple[dict[tuple[str, str], bytes], Decoded]:
    lines = Lines(1 << 20)
    found = Loki().decode(Request("POST", "/loki/api/v1/push", {}, {"content-type": kind, **headers}, body), lines)
    return dict(lines.joined()), found


def push() -> bytes:
    """Encode the same push as protobuf."""
    message: Any = Push()
    for stream in BODY["streams"]:
        made = message.streams.add()
        made.labels = "{" + ", ".join(f"{name}={json.dumps(text)}" for name, text in stream["stream"].items()) + "}"
        for value in stream["values"]:
            entry = made.entries.add(line=value[1].encode())
            entry.time.seconds, entry.time.nanos = divmod(int(value[0]), 10**9)
            for name, text in (value[2] if len(value) > 2 else {}).items():
                entry.metadata.add(name=name, value=text)
    return bytes(message.SerializeToString())


def test_json_and_protobuf_become_the_same_lines() -> None:
    from_json, found = decoded(json.dumps(BODY).encode())
    packed = bytes(cramjam.snappy.compress_raw(push()))
    from_protobuf, _ = decoded(packed, "application/x-protobuf")

    first, second = (json.loads(line) for line in from_json[("shop", "web1")].splitlines())
    assert first == FIRST
    assert (second["severity"], second["metadata"]) == ("warn", {"trace": "5b", "level": "warn"})
    assert list(from_json) == [("shop", "web1"), ("other", "")]
    assert from_protobuf == from_json
    assert found.response.status == 204
    assert found.key != ""


def test_the_wire_is_that_of_loki() -> None:
    """Written byte by byte: `Push` is described here, and encoding with it would not show a wrong number of a field."""
    entry = b"\x0a\x06\x08\x8c\xd2\x8a\xd8\x06" + b"\x12\x02hi" + b"\x1a\x06\x0a\x01k\x12\x01v"
    entry = b"\x0a\x06\x08\x8c\xef\x88\xd8\x06" + b"\x12\x02hi" + b"\x1a\x06\x0a\x01k\x12\x01v"
    stream = b'\x0a\x09{job="a"}' + b"\x12" + bytes([len(entry)]) + entry + b"\x18\x07"
    body = b"\x0a" + bytes([len(stream)]) + stream
    lines, _ = decoded(bytes(cramjam.snappy.compress_raw(body)), "application/x-protobuf")

    [line] = [json.loads(text) for text in lines.values()]
    assert (line["message"], line["labels"], line["metadata"]) == ("hi", {"job": "a"}, {"k": "v"})
    assert line["time"].startswith("2026-11-")


def test_requests_within_pushed_lines_are_requests() -> None:
    access = '192.0.2.7 - - [22/Nov/2026:10:15:40 +0000] "GET /pages/create HTTP/1.1" 200 512 "-" "curl"'
    body = {"streams": [{"stream": {"job": "nginx"}, "values": [[TIME, access]] * 20}]}
    lines, _ = decoded(json.dumps(body).encode())
    text = b"".join(lines.values())
    records = format_of(text).parse(split(text))

    assert records["path"].to_list() == ["/pages/create"] * 20
    assert records["status"].to_list() == [200] * 20


def test_the_lines_are_read_with_time_and_severity() -> None:
    lines, _ = decoded(json.dumps(BODY).encode())
    records = FORMATS["pushed"].parse(split(b"".join(lines.values()))).to_dicts()

    assert [record["parsed"] for record in records] == [True] * 3
    assert [record["severity"] for record in records] == [17, 13, 5]
    assert [record["message"] for record in records] == ["two\nlines", "with metadata", "inner"]
    assert records[0]["time"].isoformat() == "2026-11-22T10:15:40.598656"


def test_an_entry_that_is_none_is_kept_and_counted() -> None:
    body = {"streams": [{"stream": {"job": "a"}, "values": [["soon", "x"], 5, ["1"]]}, "y"]}
    lines, found = decoded(json.dumps(body).encode())

    shown = [json.loads(line) for text in lines.values() for line in text.splitlines()]
    assert [line["message"] for line in shown] == ["x", 5, ["1"], "y"]
    assert shown[0]["time"] == "soon"
    assert (found.damaged, found.key) == (3, "")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('{job="a", host="b c"}', {"job": "a", "host": "b c"}),
        ('{a="\\"x\\" \\n", b="}"}', {"a": '"x" \n', "b": "}"}),
        ('{a="\\x00"}', {"a": "\\x00"}),
        ("{}", {}),
        ("nonsense", {}),
    ],
)
def test_labels_are_read_as_prometheus_writes_them(text: str, labels: dict[str, str]) -> None:
    assert labels_of(text) == labels


def test_a_push_is_answered_and_readiness_is_told() -> None:
    async def run() -> None:
        memory = Memory()
        async with committing(HttpSettings(listen="127.0.0.1:0"), memory) as running:
            source = running.source
            assert isinstance(source, HttpSource)
            await until(lambda: source.port > 0)
            base = f"http://127.0.0.1:{source.port}"
            packed = bytes(cramjam.snappy.compress_raw(push()))
            for body, kind in ((json.dumps(BODY).encode(), "application/json"), (packed, "application/x-protobuf")):
                request = urllib.request.Request(base + "/loki/api/v1/push", body, {"Content-Type": kind})  # noqa: S310
                assert await asyncio.to_thread(status_of, request) == 204
            assert await asyncio.to_thread(status_of, urllib.request.Request(base + "/ready")) == 200  # noqa: S310
        assert len(memory.of("shop", "web1").splitlines()) == 4

    asyncio.run(run())


def status_of(request: urllib.request.Request) -> int:
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - of our own listener
        return int(answer.status)


def answers_or_refuses(body: bytes, kind: str, **headers: str) -> None:
    try:
        lines, _ = decoded(body, kind, **headers)
    except Refused as refused:
        assert refused.status in {400, 413, 415}  # noqa: PT017 - it may be raised or not
    else:
        assert all(json.loads(line) for text in lines.values() for line in text.splitlines())


@given(st.binary(max_size=200))
def test_no_protobuf_raises_anything_else(body: bytes) -> None:
    answers_or_refuses(body, "application/x-protobuf")
    answers_or_refuses(body, "application/x-protobuf", **{"content-encoding": "snappy"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["streams", "stream", "values", "level", "job"]), inner, max_size=3)
    ),
    max_leaves=15,
)


@given(JSON)
def test_no_json_raises_anything_else(inner: object) -> None:
    for body in (
        inner,
        {"streams": inner},
        {"streams": [{"stream": inner, "values": inner}]},
        {"streams": [{"stream": {"job": inner}, "values": [inner, [inner, inner], [inner, inner, inner]]}]},
    ):
        answers_or_refuses(json.dumps(body).encode(), "application/json")
