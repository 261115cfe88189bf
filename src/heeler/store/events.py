"""What happened to a part, as records between its lines: a gap, a rewrite, a restart of a command.

Such a record renders to no bytes, so the export of a stream stays exact. It is a row of `log` with an empty ``raw`` and
no ending, which no line can be; the counts of a stream leave it out.
"""

import json
from collections.abc import Sequence

import polars as pl

from heeler.formats.choose import PLAIN
from heeler.formats.lines import NO_ENDING
from heeler.model import SourceEvent
from heeler.store.schema import FROM_RECEIVED, RECORD_TABLES
from heeler.store.streams import Stream

EVENT_FORMAT = ("heeler", "log", PLAIN.text)
"""Name, table and definition of the format that these records have."""

WARNING = 13
"""The severity of an event, of the OpenTelemetry log data model."""

IS_EVENT = ((pl.col("ending") == NO_ENDING) & (pl.col("raw") == b"")).fill_null(value=False)
"""Whether a record tells of an event and is no line."""


def event_rows(events: Sequence[SourceEvent], format_id: int, received_us: int, stream: Stream) -> pl.DataFrame:
    """Return a row of `log` for each of ``events``, in their order, with the next seqs of the stream.

    The time is that of receiving. ``attributes`` has ``event`` and ``lost_bytes``, null where nobody knows how much
    was lost.
    """
    schema = RECORD_TABLES["log"]
    constants = {
        "time": received_us,
        "time_from": FROM_RECEIVED,
        "received": received_us,
        "log_group": stream.group,
        "log_stream": stream.name,
        "severity": WARNING,
        "format": format_id,
        "ending": NO_ENDING,
        "parsed": True,
        "raw": b"",
    }
    rows = [
        constants | {"seq": stream.next_seq + at, "message": event.message, "attributes": _attributes(event)}
        for at, event in enumerate(events)
    ]
    columns = [
        pl.Series(name, [row.get(name) for row in rows], strict=False).cast(dtype) for name, dtype in schema.items()
    ]
    return pl.DataFrame(columns)


def _attributes(event: SourceEvent) -> str:
    lost = None if event.lost_bytes is None or event.lost_bytes < 0 else event.lost_bytes
    return json.dumps({"event": event.what, "lost_bytes": lost}, separators=(",", ":"))
