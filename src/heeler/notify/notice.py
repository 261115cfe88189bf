"""What is told of one transition of an alert, whoever it is told to."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, Final

from heeler.units import SECOND_US, iso, zoned

TRIGGERED = "triggered"

MOST_TOLD: Final = 20
"""So many transitions are told one by one in a text; of a storm the rest is a number."""

FIELDS: Final = ("hits", "rate", "threshold", "window", "time", "rule", "state", "value", "key", "severity", "text")
"""What templates may name."""

DEFAULT_TRIGGERED: Final = "{rule} generated an alert - hits = {hits}, triggered at {time}"
DEFAULT_RECOVERED: Final = "{rule} alert recovered - hits = {hits}, recovered at {time}"


@dataclass(frozen=True, slots=True)
class Notice:
    """One transition. Texts that come from lines are escaped; ``link`` is a query that finds the lines.

    ``id`` is the same whenever it is told again. ``value`` and ``limit`` are what was computed and what it crossed.
    """

    id: str
    rule: str
    key: str
    state: str
    hits: int
    value: float | None
    limit: float
    window_s: int
    time_us: int
    start_us: int
    zone_minutes: int
    severity: str = "warning"
    text: str = ""
    first: Sequence[str] = ()
    last: Sequence[str] = ()
    link: str = ""

    @property
    def name(self) -> str:
        """The rule and its group, as a sentence begins."""
        named = f"{self.rule} ({self.key})" if self.key else self.rule
        return named[:1].upper() + named[1:]

    @property
    def time(self) -> str:
        """The second that decided it, in the zone of the log."""
        return zoned(self.time_us // SECOND_US, self.zone_minutes)

    @property
    def digest(self) -> str:
        """The id as a short name that is safe in a header."""
        return hashlib.sha256(self.id.encode("utf-8", "backslashreplace")).hexdigest()[:32]

    @property
    def alert_digest(self) -> str:
        """A short name that a triggered alert and its recovery share."""
        named = f"{self.rule}|{self.key}|{self.start_us}"
        return hashlib.sha256(named.encode("utf-8", "backslashreplace")).hexdigest()[:32]

    def sentence(self) -> str:
        """Return the line that `heeler watch` would print."""
        return written(DEFAULT_TRIGGERED if self.state == TRIGGERED else DEFAULT_RECOVERED, self)

    def as_json(self) -> dict[str, Any]:
        """Return everything, as JSON has it."""
        return {
            "id": self.digest,
            "alert": self.rule,
            "key": self.key,
            "state": self.state,
            "severity": self.severity,
            "text": self.text,
            "hits": self.hits,
            "value": self.value,
            "limit": self.limit,
            "window_seconds": self.window_s,
            "time": iso(self.time_us // SECOND_US, self.zone_minutes),
            "started": iso(self.start_us // SECOND_US, self.zone_minutes),
            "first": list(self.first),
            "last": list(self.last),
            "link": self.link,
            "message": self.sentence(),
        }


def written(template: str, notice: Notice) -> str:
    """Return a template with what it names of a notice."""
    values: Mapping[str, object] = {
        "hits": notice.hits,
        "rate": f"{notice.hits / notice.window_s:.1f}",
        "threshold": f"{notice.limit:g}",
        "window": f"{notice.window_s}s",
        "time": notice.time,
        "rule": notice.name,
        "state": notice.state,
        "value": "-" if notice.value is None else f"{notice.value:g}",
        "key": notice.key,
        "severity": notice.severity,
        "text": notice.text,
    }
    return template.format_map(values)


def wrong_in(template: str) -> str:
    """Return in a sentence what is wrong with a template; empty where nothing is."""
    try:
        named = [
            (name, spec, conversion) for _, name, spec, conversion in Formatter().parse(template) if name is not None
        ]
    except ValueError as error:
        return f"The template {template!r} cannot be read: {error}. A brace of its own is written twice."
    for name, spec, conversion in named:
        if name not in FIELDS:
            return f"The template names {name!r}, which there is not. There are {', '.join(FIELDS)}."
        if spec or conversion:
            return f"The template formats {{{name}}}, which cannot be done here; write the name alone."
    return ""


def as_text(notices: Sequence[Notice]) -> tuple[str, str]:
    """Return a title and a text that tell of some transitions, for people."""
    first = notices[0]
    title = f"{first.name} {first.state}"
    if len(notices) > 1:
        fired = sum(one.state == TRIGGERED for one in notices)
        title = f"{fired} alerts triggered, {len(notices) - fired} recovered"
    parts = [_told(one) for one in notices[:MOST_TOLD]]
    if len(notices) > MOST_TOLD:
        parts.append(f"... and {len(notices) - MOST_TOLD} more; `heeler alerts` shows all.")
    return title, "\n\n".join(parts)


def _told(notice: Notice) -> str:
    lines = [notice.sentence()]
    if notice.text:
        lines.append(notice.text)
    if notice.first or notice.last:
        lines += ["First lines:", *(f"  {line}" for line in notice.first)]
        lines += ["Last lines:", *(f"  {line}" for line in notice.last)]
    if notice.link:
        lines.append(f"Search: {notice.link}")
    return "\n".join(lines)
