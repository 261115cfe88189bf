"""Elasticsearch's bulk requests, by its own client, and what shippers ask first."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk, streaming_bulk
from hypothesis import given
from hypothesis import strategies as st

from committing import Memory, committing, until
from heeler.sources.http import HttpSettings, HttpSource
from heeler.sources.http_elasticsearch import ElasticsearchBulk
from heeler.sources.http_request import Decoded, Lines, Refused, Request

DOCUMENT = {"@timestamp": "2026-11-22T10:15:40.631Z", "log.level": "warn", "message": "a\nb", "host": {"name": "web1"}}


def decoded(body: bytes, path: str = "/_bulk") -> tuple[dict[tuple[str, str], bytes], Decoded]:
    lines = Lines(1 << 20)
    found = ElasticsearchBulk().decode(Request("POST", path, {}, {}, body), lines)
    return dict(lines.joined()), found


def items_of(found: Decoded) -> Any:  # noqa: ANN401 - JSON
    return json.loads(found.response.body)["items"]


def test_documents_are_kept_byte_for_byte_under_their_index_and_host() -> None:
    first, second = b'{"host": {"name": "web1"}, "n" :1.50}', b'{"host":"web2","@timestamp":"x"}'
    body = b'{"create":{"_index":"shop"}}\n%b\n{"index":{"_id":"7"}}\n%b\n' % (first, second)
    lines, found = decoded(body, "/fallback/_bulk")

    assert lines == {("shop", "web1"): first + b"\n", ("fallback", "web2"): second + b"\n"}
    assert [(verb, item[verb]["status"]) for item in items_of(found) for verb in item] == [
        ("create", 201),
        ("index", 201),
    ]
    assert items_of(found)[1]["index"]["_id"] == "7"
    assert found.key == "", "one of them has no time"


def test_what_cannot_be_taken_is_refused_one_by_one() -> None:
    body = b"\n".join(
        (
            b'{"create":{"_index":"a"}}',
            b"no json",
            b'{"delete":{"_index":"a","_id":"1"}}',
            b'{"update":{"_index":"a","_id":"1"}}',
            b'{"doc":{}}',
            b'{"index":{"_index":"a"}}',
            b'{"kept":1}',
            b'{"index":{"_index":"a"}}',
            b"",
        )
    )
    lines, found = decoded(body)

    assert lines == {("a", ""): b'{"kept":1}\n'}
    assert [next(iter(item.values()))["status"] for item in items_of(found)] == [400, 400, 400, 201, 400]
    assert json.loads(found.response.body)["errors"] is True
    assert found.damaged == 4


@pytest.mark.parametrize(
    "body", [b"x\n{}\n", b"[]\n", b'{"index":{},"create":{}}\n', b'{"get":{}}\n', b'{"index":1}\n']
)
def test_an_action_that_is_none_refuses_the_request(body: bytes) -> None:
    with pytest.raises(Refused, match="Malformed action") as refused:
        decoded(body)
    assert refused.value.status == 400


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b'{"index":{}}', b'{"a":1}', b'{"delete":{}}']), max_size=8))
def test_no_body_raises_anything_else(rows: list[bytes]) -> None:
    body = b"\n".join(rows)
    try:
        lines, found = decoded(body)
    except Refused as refused:
        assert refused.status == 400  # noqa: PT017 - it may be raised or not
    else:
        taken = [item for item in items_of(found) if next(iter(item.values()))["status"] == 201]
        assert len(taken) == sum(text.count(b"\n") for text in lines.values())


def with_client(talk: Callable[[Elasticsearch], None]) -> Memory:
    memory = Memory()

    async def run() -> None:
        async with committing(HttpSettings(listen="127.0.0.1:0"), memory) as running:
            source = running.source
            assert isinstance(source, HttpSource)
            await until(lambda: source.port > 0)
            with Elasticsearch(f"http://127.0.0.1:{source.port}", http_compress=True) as client:
                await asyncio.to_thread(talk, client)

    asyncio.run(run())
    return memory


def test_the_bulk_helper_of_the_client_sends_and_is_told_what_was_taken() -> None:
    def talk(client: Elasticsearch) -> None:
        actions = ({"_index": "shop", "_op_type": "create", **DOCUMENT, "n": number} for number in range(1200))
        assert bulk(client, actions) == (1200, [])
        told = list(
            streaming_bulk(client, [{"_op_type": "delete", "_index": "shop", "_id": "1"}], raise_on_error=False)
        )
        assert [ok for ok, _ in told] == [False]

    memory = with_client(talk)
    documents = [json.loads(line) for line in memory.of("shop", "web1").splitlines()]
    assert [document["n"] for document in documents] == list(range(1200))
    assert documents[0] == {**DOCUMENT, "n": 0}


def test_what_shippers_ask_first_is_answered() -> None:
    """Filebeat: version, license, template, policy, pipeline. Logstash: license and nodes. Vector: health, version."""

    def talk(client: Elasticsearch) -> None:
        assert int(client.info()["version"]["number"].partition(".")[0]) >= 8
        assert client.ping()
        assert client.license.get()["license"]["status"] == "active"
        assert client.cluster.health()["status"] == "green"
        assert client.nodes.info(node_id="_all", metric="http")["nodes"]
        assert client.indices.exists_index_template(name="filebeat")
        assert client.indices.put_index_template(name="logs", index_patterns=["logs-*"])["acknowledged"]
        assert client.ilm.put_lifecycle(name="logs", policy={"phases": {}})["acknowledged"]
        assert client.ingest.put_pipeline(id="logs", processors=[])["acknowledged"]
        assert client.indices.exists(index="shop")

    assert with_client(talk).chunks == []
