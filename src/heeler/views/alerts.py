"""Alerts as text for people and as JSON for programs: one line for each transition."""

import json
from collections.abc import Mapping
from typing import Any

from heeler.store.alerts import StoredAlert
from heeler.units import SECOND_US, iso, zoned
from heeler.views.escape import printable


def as_text(alert: StoredAlert) -> str:
    """Return one line: when, which rule and group, what happened, and with which value. All is escaped."""
    time = zoned(alert.time_us // SECOND_US, alert.zone_minutes)
    named = printable(f"{alert.rule} ({alert.key})" if alert.key else alert.rule)
    value = alert.details.get("value")
    told = "" if value is None else f", {value:g} (limit {alert.details.get('limit', 0):g})"
    severity = printable(str(alert.details.get("severity", "")))
    return f"{time}  {alert.state:<9}  {severity:<8}  {named}: {alert.hits} hits{told}"


def as_json(alert: StoredAlert) -> Mapping[str, Any]:
    """Return it as programs read it; ``id`` rises, so whoever remembers it can go on behind it."""
    details = alert.details
    return {
        "id": alert.id,
        "alert": alert.rule,
        "key": alert.key,
        "state": alert.state,
        "hits": alert.hits,
        "value": details.get("value"),
        "limit": details.get("limit"),
        "severity": details.get("severity"),
        "text": details.get("text"),
        "time": iso(alert.time_us // SECOND_US, alert.zone_minutes),
        "started": iso(alert.start_us // SECOND_US, alert.zone_minutes) if alert.start_us else None,
        "query": details.get("query"),
    }


def as_event(alert: StoredAlert) -> str:
    """Return it as a server-sent event; its id is what ``Last-Event-ID`` names. Source: HTML, section 9.2."""
    return f"id: {alert.id}\nevent: {alert.state}\ndata: {json.dumps(as_json(alert))}\n\n"
