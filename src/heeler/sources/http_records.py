"""The JSON line that becomes of a record which came without a line of its own: one shape for OTLP and Loki.

::

    {"time": RFC 3339 with nine decimals, "severity": a word, "message": …, "service": …, "host": …, and all else}

The format ``pushed`` reads it. Where the sender gave no time there is none, and the record has that of its receipt.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import orjson

SEVERITIES: Final = tuple(
    f"{word}{number or ''}" for word in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL") for number in ("", 2, 3, 4)
)
"""The short names of severities 1 to 24. Source: OpenTelemetry log data model, "Displaying Severity"."""

NANOSECONDS: Final = 1_000_000_000
_LAST_NS: Final = 253_402_300_800 * NANOSECONDS  # the year 10000


@lru_cache(4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def stamp(time_ns: int) -> str:
    """Return nanoseconds since 1970 as RFC 3339, and what no calendar has as the number that it is."""
    if not 0 <= time_ns < _LAST_NS:
        return str(time_ns)
    seconds, fraction = divmod(time_ns, NANOSECONDS)
    return f"{_second(seconds)}.{fraction:09d}Z"


def line_of(record: Mapping[str, Any]) -> bytes:
    r"""Return a record as one line of JSON, with its ``\n``. A newline within a text is escaped."""
    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        # Nested too deeply, or a number or text that JSON has no way to write: what is odd is kept as Python shows it.
        shown = {name: value if isinstance(value, str | bool | None) else repr(value) for name, value in record.items()}
        return orjson.dumps({name: _text(value) for name, value in shown.items()}, option=orjson.OPT_APPEND_NEWLINE)


def _text(value: object) -> object:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def digest_key(kind: str, *parts: bytes) -> str:
    """Return by what a batch is known whose records all carry their times: the same bytes are the same batch."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return f"{kind}:{digest.hexdigest()}"
