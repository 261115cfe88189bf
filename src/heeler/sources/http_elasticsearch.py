"""Elasticsearch's bulk requests, and what its senders ask first: Filebeat, Logstash, Fluent Bit, Vector, the clients.

Source: Elastic's reference of the bulk API. Nothing is searched here, and no index exists: an index is a group.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from heeler.sources.http_lines import key_of, named_by
from heeler.sources.http_records import digest_key
from heeler.sources.http_request import Decoded, Lines, Refused, Request, Response, first_name, name_of

JSON: Final = "application/json"
_PRODUCT: Final = {"X-Elastic-Product": "Elasticsearch"}
"""Clients refuse to talk to a server that does not say this."""

STREAM: Final = ("host.name", "host.hostname", "host", "hostname", "agent.name", "container.name")
"""The fields of a document that name its stream, the first that it has."""

_TAKEN: Final = frozenset({"index", "create"})

_ABOUT: Final[Mapping[str, object]] = {
    "name": "heeler",
    "cluster_name": "heeler",
    "cluster_uuid": "heeler",
    "version": {
        "number": "9.0.0",
        "build_flavor": "default",
        "build_type": "tar",
        "build_hash": "0",
        "build_snapshot": False,
        "lucene_version": "10.0.0",
        "minimum_wire_compatibility_version": "8.18.0",
        "minimum_index_compatibility_version": "8.0.0",
    },
    "tagline": "You Know, for Search",
}
_LICENSE: Final = {"license": {"status": "active", "uid": "heeler", "type": "basic", "mode": "basic"}}

PROBES: Final[Mapping[str, Mapping[str, object]]] = {
    "": _ABOUT,
    "_license": _LICENSE,
    "_xpack": {**_LICENSE, "features": {"ilm": {"available": True, "enabled": True}}},
    "_cluster": {"cluster_name": "heeler", "status": "green", "timed_out": False, "number_of_nodes": 1},
    "_nodes": {
        "_nodes": {"total": 1, "successful": 1, "failed": 0},
        "cluster_name": "heeler",
        "nodes": {"heeler": {"name": "heeler", "version": "9.0.0", "roles": ["data", "ingest"]}},
    },
    "_ilm": {"acknowledged": True},
    "_index_template": {"acknowledged": True},
    "_component_template": {"acknowledged": True},
    "_template": {"acknowledged": True},
    "_ingest": {"acknowledged": True},
    "_data_stream": {"acknowledged": True},
    "_alias": {"acknowledged": True},
    "_logstash": {"acknowledged": True},
}
"""What is answered by the first segment of a path: enough for a sender to find that everything it needs is there."""


class ElasticsearchProbes:
    """Whatever senders ask and set up before they send documents. Nothing of it is stored."""

    def decode(self, request: Request, _: Lines) -> Decoded:
        """See `Receiver.decode`."""
        return Decoded(_answer(200, PROBES.get(request.path.split("/")[1], {"acknowledged": True})))

    def refuse(self, _: Request, refused: Refused) -> Response:
        """See `Receiver.refuse`."""
        return _refusal(refused)


class ElasticsearchBulk:
    """``POST /_bulk`` and ``/INDEX/_bulk``. A document is kept byte for byte, as the line that it is.

    Of the operations ``index`` and ``create`` are taken; others, and documents that are no JSON objects, are refused
    one by one.
    """

    def decode(self, request: Request, lines: Lines) -> Decoded:
        """See `Receiver.decode`."""
        group, stream = named_by(request)
        default = request.path.removesuffix("/_bulk").strip("/")
        rows = iter(request.body.split(b"\n"))
        items: list[dict[str, object]] = []
        complete, failed = True, 0
        for number, row in enumerate(rows, 1):
            if not row.strip():
                continue
            verb, about = _action(row, number)
            index = name_of(about.get("_index")) or default
            source = next(rows, b"") if verb != "delete" else b""
            document = _document(source) if verb in _TAKEN else None
            if document is None:
                failed += 1
                items.append({verb: _failed(verb, index)})
                continue
            complete = complete and "@timestamp" in document
            lines.add(group or index, stream or _stream(document), source.removesuffix(b"\r") + b"\n")
            items.append({verb: _stored(index, about.get("_id") or str(number))})
        body = {"took": 0, "errors": failed > 0, "items": items}
        key = key_of(request)
        if not key and complete and items:
            key = digest_key("elasticsearch", group.encode(), stream.encode(), default.encode(), request.body)
        return Decoded(_answer(200, body), key, failed)

    def refuse(self, _: Request, refused: Refused) -> Response:
        """See `Receiver.refuse`."""
        return _refusal(refused)


def _action(row: bytes, number: int) -> tuple[str, Mapping[str, Any]]:
    try:
        action = orjson.loads(row)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"Malformed action/metadata line [{number}]: it is no JSON ({error}).") from error
    verb = next(iter(action), "") if isinstance(action, dict) and len(action) == 1 else ""
    if verb not in {"index", "create", "update", "delete"} or not isinstance(action[verb], dict):
        raise Refused(400, f"Malformed action/metadata line [{number}]: it is no index, create, update or delete.")
    return verb, action[verb]


def _document(source: bytes) -> Mapping[str, Any] | None:
    try:
        document = orjson.loads(source)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _stream(document: Mapping[str, Any]) -> str:
    known = dict(document)
    for outer in ("host", "agent", "container"):
        if isinstance(inner := document.get(outer), dict):
            known.update({f"{outer}.{name}": text for name, text in inner.items()})
    return first_name(known, STREAM)


def _stored(index: str, name: object) -> dict[str, object]:
    return {
        "_index": index,
        "_id": name,
        "_version": 1,
        "result": "created",
        "_shards": {"total": 1, "successful": 1, "failed": 0},
        "_seq_no": 0,
        "_primary_term": 1,
        "status": 201,
    }


def _failed(verb: str, index: str) -> dict[str, object]:
    reason = "The document is no JSON object." if verb in _TAKEN else f"Logs are only added: {verb} does nothing here."
    kind = "document_parsing_exception" if verb in _TAKEN else "illegal_argument_exception"
    return {"_index": index, "_id": None, "status": 400, "error": {"type": kind, "reason": reason}}


def _answer(status: int, body: Mapping[str, object]) -> Response:
    return Response(status, orjson.dumps(body), JSON, _PRODUCT)


def _refusal(refused: Refused) -> Response:
    body = {"error": {"type": "heeler_exception", "reason": str(refused)}, "status": refused.status}
    told = refused.response(orjson.dumps(body), JSON)
    return Response(told.status, told.body, told.content_type, {**told.headers, **_PRODUCT})
