"""The sentences that people and programs read about alerts, word for word the same on every screen."""

from datetime import datetime, timedelta

from heeler.views.snapshot import AlertLine

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


def alert_sentence(line: AlertLine) -> str:
    """Return the sentence that tells of one transition of an alert."""
    name = line.alert[:1].upper() + line.alert[1:]
    time = zoned(line.time_s, line.zone_minutes)
    if line.state == "triggered":
        return f"{name} generated an alert - hits = {line.hits}, triggered at {time}"
    return f"{name} alert recovered - hits = {line.hits}, recovered at {time}"


def iso(time_s: int, zone_minutes: int) -> str:
    """Return ``2026-11-22T10:15:40+00:00``: the second as the log itself has it, in ISO 8601."""
    shown = local(time_s, zone_minutes)
    if shown is None:
        return f"@{time_s}"
    hours, minutes = divmod(abs(zone_minutes), 60)
    return f"{shown.isoformat()}{'-' if zone_minutes < 0 else '+'}{hours:02d}:{minutes:02d}"
