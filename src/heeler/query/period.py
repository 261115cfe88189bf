"""Moments as people write them: `2m`, `1h`, `yesterday`, `2026-11-22`, `2026-11-22T10:00`."""

import re
from datetime import UTC, datetime, timedelta

from heeler.errors import UsageError
from heeler.units import SECONDS, duration_s

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = 86_400_000_000
_DAYS_AGO = {"today": 0, "yesterday": 1}
_DURATION = re.compile(rf"[\d.]+(?:{'|'.join(SECONDS)})", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII | re.IGNORECASE
)


def moment_us(text: str, now_us: int, what: str, step_us: int = 1) -> int:
    """Read a moment as UTC microseconds. ``what`` names the setting in the error: "The start (--since)".

    A duration is that long before ``now_us``, from the last multiple of ``step_us`` on. ``today`` and ``yesterday``
    begin at midnight. What has no zone is UTC, as everything that the store shows.
    """
    asked = text.strip()
    if asked == "now":
        return now_us
    if asked in _DAYS_AGO:
        return now_us // _DAY_US * _DAY_US - _DAYS_AGO[asked] * _DAY_US
    if _DURATION.fullmatch(asked):
        return (now_us - int(duration_s(asked, what) * 1_000_000)) // step_us * step_us
    if _MOMENT.fullmatch(asked):
        try:
            read = datetime.fromisoformat(asked.upper())
            return ((read if read.tzinfo else read.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
        except (ValueError, OverflowError):
            pass  # no day of the calendar: told below, as every other text that is no moment
    raise UsageError(
        f"{what} {text!r} is no moment; give a time ago (2m, 1h, 7d), today, yesterday, a day (2026-11-22) or a time "
        "(2026-11-22T10:00, UTC unless a zone such as +01:00 stands behind it)."
    )
