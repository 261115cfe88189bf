"""How the process that collects fares, as text for people: the process first, then a line for each source."""

from heeler.daemon.status import SourceStatus, Status
from heeler.views.escape import printable

_HEADINGS = (
    "source",
    "kind",
    "alive",
    "lines",
    "lines/s",
    "bytes",
    "lag",
    "files",
    "unparsed",
    "restarts",
    "last line",
)
_TEXTS = 3
"""So many columns are texts; those behind them are numbers and stand to the right."""

_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000
_MOST_KEYS = 5


def shown(status: Status) -> str:
    """Return the text, several lines without a newline at the end."""
    first = (
        f"process {status.pid}: Heeler {status.version}, up {_duration(status.uptime_seconds)}, "
        f"{printable(status.store)}, {status.lines:,} lines, {_size(status.bytes)}, "
        f"{_size(status.memory_bytes)} of memory"
    )
    if not status.sources:
        none = "no sources; [sources.NAME] in the configuration names one"
        return "\n".join([first, none, *_alerting(status)])
    rows = [_HEADINGS, *map(_row, status.sources)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [first, "", _line(_HEADINGS, widths)]
    for source, row in zip(status.sources, rows[1:], strict=True):
        lines.append(_line(row, widths))
        lines += [f"  {printable(note)}" for note in _notes(source)]
    return "\n".join([*lines, *_alerting(status)])


def _alerting(status: Status) -> list[str]:
    """Return a line for each rule that fires or fails, and for each notifier."""
    lines = []
    for rule in status.rules:
        if rule.firing:
            keys = ", ".join(printable(key) for key in rule.firing[:_MOST_KEYS] if key)
            more = f" ({keys})" if keys else ""
            lines.append(f"alert {printable(rule.name)}: {len(rule.firing)} firing{more}")
        if rule.last_error:
            lines.append(f"alert {printable(rule.name)}: cannot be evaluated: {printable(rule.last_error)}")
    for one in status.notifiers:
        told = f"notify {one.name} ({one.kind}): {one.sent:,} sent, {one.waiting:,} waiting, {one.failed:,} given up"
        lines.append(f"{told}; {printable(one.last_error)}" if one.last_error else told)
    return ["", *lines] if lines else []


def _row(one: SourceStatus) -> tuple[str, ...]:
    return (
        printable(one.name),
        one.kind,
        "yes" if one.alive else "no",
        f"{one.lines:,}",
        f"{one.lines_per_second:,.1f}",
        _size(one.bytes),
        _size(one.lag_bytes),
        _size(one.size_bytes),
        f"{one.unparsed:,}",
        f"{one.restarts:,}",
        one.last_line or "-",
    )


def _notes(one: SourceStatus) -> list[str]:
    counted = {**one.counters, **{f"redacted {rule}": times for rule, times in one.redacted.items()}}
    return [
        *([one.doing] if one.doing else []),
        *([", ".join(f"{name} {times:,}" for name, times in counted.items())] if counted else []),
        *([f"last error: {one.last_error}"] if one.last_error else []),
    ]


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.ljust(width) if at < _TEXTS else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _size(size: int | None) -> str:
    if size is None:
        return "-"
    value = float(size)
    for unit in _UNITS:
        if value < _STEP or unit == _UNITS[-1]:
            break
        value /= _STEP
    return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
