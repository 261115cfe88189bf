"""Records as text for people."""

from datetime import UTC, datetime

import polars as pl

from heeler.formats.lines import LF, NO_ENDING
from heeler.query.language import parse
from heeler.store.searching import LINE
from heeler.views.found import Found


def test_a_record_that_is_no_line_tells_what_happened_and_escapes_it() -> None:
    records = pl.DataFrame(
        {
            "time": [datetime(2026, 11, 25, 10, tzinfo=UTC).replace(tzinfo=None)] * 2,
            "log_group": ["app"] * 2,
            "log_stream": ["web"] * 2,
            "message": ["120 bytes were lost: \x1b[2J", None],
            "ending": pl.Series([NO_ENDING, LF], dtype=pl.UInt8),
            "raw": [b"", None],
            LINE: [b"", b"a line\n"],
        }
    )
    shown = list(Found({}, parse("").where, colours=False).as_text(records))
    assert shown == [
        "2026-11-25T10:00:00.000+00:00 app/web -- 120 bytes were lost: \\x1b[2J\n",
        "2026-11-25T10:00:00.000+00:00 app/web a line\n",
    ]
