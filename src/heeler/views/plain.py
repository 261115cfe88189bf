"""Blocks and alerts as text and as JSON lines: `heeler watch --plain` and `--json`."""

import json

from heeler.units import iso, zoned
from heeler.views.escape import printable
from heeler.views.sentences import alert_sentence
from heeler.views.snapshot import AlertLine, Block

_WIDEST_NAME = 48
_BAR = 24


def as_text(said: Block | AlertLine) -> str:
    """Return a block as some lines, or an alert as its one; with the last newline."""
    return (alert_sentence(said) if isinstance(said, AlertLine) else _block(said)) + "\n"


def as_json(said: Block | AlertLine) -> str:
    """Return a block or an alert as one JSON object in one line; with the newline."""
    if isinstance(said, AlertLine):
        values: dict[str, object] = {
            "alert": said.alert,
            "state": said.state,
            "hits": said.hits,
            "time": iso(said.time_s, said.zone_minutes),
        }
    else:
        values = {
            "time": iso(said.end_s, said.zone_minutes),
            "hits": said.hits,
            "rate": round(said.rate, 3),
            "sections": dict(said.sections),
            "status": dict(said.status),
            "error_rate": round(said.error_rate, 4),
            "bytes": said.bytes,
            "clients": said.clients,
            "unparsed": said.unparsed,
        }
    return json.dumps(values) + "\n"


def _block(block: Block) -> str:
    title = f"── {block.hits:,} hits  {block.rate:.2f}/s  in {block.end_s - block.start_s} s to "
    title += zoned(block.end_s, block.zone_minutes)
    lines = [title]
    if block.hits:
        most = block.sections[0][1]
        for name, hits in block.sections:
            bar = "▇" * max(1, round(_BAR * hits / most))
            lines.append(f"   {_short(name):<{_WIDEST_NAME // 2}} {hits:>9,} {_percent(hits / block.hits):>8}  {bar}")
        errors = f"errors {_percent(block.error_rate)}"
        errors += f" (5xx {_percent(block.server_errors / block.hits)})" if block.server_errors else ""
        lines.append(f"   status   {_counts(block.status)}   {errors}")
        lines.append(f"   methods  {_counts(block.methods)}   {human_bytes(block.bytes)}")
        lines.append(f"   clients  {block.clients:,}: {_counts(block.top_clients[:3])}")
    if block.unparsed:
        lines.append(f"   unparsed {block.unparsed:,}")
    return "\n".join(lines)


def _counts(pairs: tuple[tuple[str, int], ...]) -> str:
    return "  ".join(f"{_short(name)} {hits:,}" for name, hits in pairs)


def _percent(share: float) -> str:
    return f"{share * 100:.2f} %"


def _short(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= _WIDEST_NAME else shown[: _WIDEST_NAME - 1] + "…"


def human_bytes(size: int) -> str:
    """Return ``12.3 MB``, in powers of 1000."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if round(value, 1) < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} PB"
