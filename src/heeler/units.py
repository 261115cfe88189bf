"""Durations, rates and sizes as people write them, and times as logs do."""

import re
from datetime import datetime, timedelta
from fractions import Fraction

from heeler.errors import UsageError

SECONDS = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600), "d": Fraction(86_400)}
"""The units of a duration, in seconds."""

SECOND_US = 1_000_000

LONGEST_S = 10 * 366 * 86_400
"""No window and no interval is longer than this: ten years, far from where seconds would overflow."""

# Twelve digits are more than anybody needs and fewer than a number may have to be calculated with.
_NUMBER = r"(\d{1,12}(?:\.\d{1,12})?)"
_DURATION = re.compile(rf"{_NUMBER}({'|'.join(SECONDS)})", re.ASCII)
_RATE = re.compile(rf"{_NUMBER}(?:/(s|m|h))?", re.ASCII)


def duration_s(text: str, what: str) -> Fraction:
    """Read ``10s`` or ``1.5m`` as seconds. ``what`` names the setting in the error: "The interval"."""
    if found := _DURATION.fullmatch(text.strip()):
        return Fraction(found[1]) * SECONDS[found[2]]
    raise UsageError(f"{what} {text!r} is no duration; give a number with a unit ({', '.join(SECONDS)}), such as 10s.")


def whole_seconds(text: str, what: str) -> int:
    """Read a duration of one or more whole seconds."""
    seconds = duration_s(text, what)
    if seconds < 1 or seconds.denominator != 1:
        raise UsageError(f"{what} {text!r} is not a whole number of seconds; the shortest is 1s.")
    if seconds > LONGEST_S:
        raise UsageError(f"{what} {text!r} is too long; the longest is {LONGEST_S // 86_400}d.")
    return int(seconds)


def rate_per_s(text: str, what: str) -> Fraction:
    """Read ``10``, ``10/s`` or ``600/m`` as a number a second."""
    if found := _RATE.fullmatch(text.strip()):
        return Fraction(found[1]) / SECONDS[found[2] or "s"]
    raise UsageError(f"{what} {text!r} is no rate; give a number of requests a second, such as 10, 0.5 or 600/m.")


_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the zone is the log's own and is written behind it by `zoned`


def local(time_s: int, zone_minutes: int) -> datetime | None:
    """Return what a clock in the log's zone shows, or None for a time outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=time_s + zone_minutes * 60)
    except OverflowError:
        return None


def zoned(time_s: int, zone_minutes: int) -> str:
    """Return ``2026-11-22 10:15:40 +0000``: the second as the log itself writes it.

    A log can claim any time. One that no calendar has is shown as ``@SECONDS``, because a screen must not end by it.
    """
    shown = local(time_s, zone_minutes)
    if shown is None:
        return f"@{time_s}"
    hours, minutes = divmod(abs(zone_minutes), 60)
    return f"{shown.isoformat(sep=' ')} {'-' if zone_minutes < 0 else '+'}{hours:02d}{minutes:02d}"


def iso(time_s: int, zone_minutes: int) -> str:
    """Return ``2026-11-22T10:15:40+00:00``: the second as the log itself has it, in ISO 8601."""
    shown = local(time_s, zone_minutes)
    if shown is None:
        return f"@{time_s}"
    hours, minutes = divmod(abs(zone_minutes), 60)
    return f"{shown.isoformat()}{'-' if zone_minutes < 0 else '+'}{hours:02d}:{minutes:02d}"
