"""Charts of a report as SVG, which every browser draws without a script: requests by class of status, share of errors.

There is no log text in them. Colours are classes of a style sheet (`STYLE`), so that a page says them once, for light
and dark.
"""

import math
from collections.abc import Iterator, Sequence
from html import escape

from heeler.views.report.model import CLASSES, Report

STYLE = """\
:root { color-scheme: light dark;
  --ink: #1f2328; --muted: #656d76; --line: #d1d9e0; --paper: #ffffff;
  --c1xx: #8250df; --c2xx: #2da44e; --c3xx: #218bff; --c4xx: #d4a72c; --c5xx: #cf222e; --none: #8c959f; }
@media (prefers-color-scheme: dark) { :root {
  --ink: #e6edf3; --muted: #9198a1; --line: #3d444d; --paper: #0d1117;
  --c1xx: #ab7df8; --c2xx: #3fb950; --c3xx: #58a6ff; --c4xx: #d29922; --c5xx: #f85149; --none: #7d8590; } }
svg text { fill: var(--muted); font: 12px system-ui, sans-serif; }
svg .title { fill: var(--ink); font-weight: 600; }
svg .grid { stroke: var(--line); }
svg .rate { fill: none; stroke: var(--c5xx); stroke-width: 2; }
""" + "".join(f"svg .c-{name} {{ fill: var(--{'c' * (name != 'none')}{name}); }}\n" for name in CLASSES)

_WIDTH, _HEIGHT = 960, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 40, 28
_ACROSS, _DOWN = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_MOST_TICKS = 5
_DAY_S = 86_400


def traffic_chart(report: Report) -> str:
    """Return requests a second over time, as bars in which the classes of status are stacked."""
    traffic = report.tables["traffic"]
    rates = traffic["requests_per_s"].to_list()
    top = _top(max(rates, default=0.0))
    starts = [f"{time:%Y-%m-%d %H:%M:%S}" for time in traffic["time"]]
    wide = _ACROSS / max(len(rates), 1)
    parts = [
        *_frame("Requests a second, by class of status", report, top, f"{{:.{_decimals(top)}f}}"),
        *_legend(report),
    ]
    counts = {name: traffic[name].to_list() for name in CLASSES}
    for at, start in enumerate(starts):
        bottom = 0.0
        for name in CLASSES:
            if count := counts[name][at]:
                high = count / report.every_s / top * _DOWN
                parts.append(
                    f'<rect class="c-{name}" x="{_LEFT + at * wide:.2f}" y="{_TOP + _DOWN - bottom - high:.2f}" '
                    f'width="{max(wide - 1, wide * 0.8):.2f}" height="{high:.2f}">'
                    f"<title>{start} {name}: {count:,}</title></rect>"
                )
                bottom += high
    return _drawn("Requests a second over time, by class of status", parts)


def error_chart(report: Report) -> str:
    """Return the share of errors over time as a line; it is broken where there was no request."""
    traffic = report.tables["traffic"]
    rates, requests = traffic["error_rate"].to_list(), traffic["requests"].to_list()
    top = min(_top(max(rates, default=0.0) * 100) / 100, 1.0)
    wide = _ACROSS / max(len(rates), 1)
    steps = []
    for at, (rate, count) in enumerate(zip(rates, requests, strict=True)):
        if count:
            x, y = _LEFT + at * wide, _TOP + _DOWN - rate / top * _DOWN
            joined = at and requests[at - 1]
            steps.append(f"{'L' if joined else 'M'}{x:.2f} {y:.2f}H{x + wide:.2f}")
    parts = [*_frame("Share of errors", report, top, f"{{:.{_decimals(top * 100)}%}}")]
    parts.append(f'<path class="rate" d="{"".join(steps)}"/>')
    return _drawn("Share of answers with status 400 and above over time", parts)


def as_svg(report: Report) -> str:
    """Return the chart of traffic as a file of its own."""
    drawn = traffic_chart(report)
    head, _, rest = drawn.partition(">")
    ground = f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="var(--paper)"/>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}>\n<style>{STYLE}</style>\n{ground}{rest}\n'


def _drawn(label: str, parts: Sequence[str]) -> str:
    inner = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">\n{inner}\n</svg>'
    )


def _frame(title: str, report: Report, top: float, shown: str) -> Iterator[str]:
    """Yield the title, the lines across with what they mean, and times below."""
    yield f'<text class="title" x="{_LEFT}" y="18">{escape(title)}</text>'
    for tick in range(_MOST_TICKS):
        share = tick / (_MOST_TICKS - 1)
        y = _TOP + _DOWN * (1 - share)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.2f}" y2="{y:.2f}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.2f}" text-anchor="end">{shown.format(top * share)}</text>'
    times = report.tables["traffic"]["time"].to_list()
    form = "%Y-%m-%d" if report.every_s * len(times) > 3 * _DAY_S else "%m-%d %H:%M:%S"
    step = math.ceil(len(times) / _MOST_TICKS) or 1
    for at in range(0, len(times), step):
        yield f'<text x="{_LEFT + at * _ACROSS / len(times):.2f}" y="{_HEIGHT - 8}">{times[at].strftime(form)}</text>'


def _legend(report: Report) -> Iterator[str]:
    named = [name for name in CLASSES if report.tables["traffic"][name].sum()]
    for number, name in enumerate(named):
        x = _WIDTH - _RIGHT - (len(named) - number) * 64
        yield f'<rect class="c-{name}" x="{x}" y="8" width="12" height="12"/>'
        yield f'<text x="{x + 18}" y="18">{name}</text>'


def _top(highest: float) -> float:
    """Return the least of 1, 2, 4, 8 times a power of ten that is not lower: its quarters are short."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next((step * power for step in (1, 2, 4, 8) if step * power >= highest), 10 * power)


def _decimals(top: float) -> int:
    """Return how many decimals a quarter of ``top`` needs."""
    return max(0, 2 - math.floor(math.log10(top)) - 1) if top < 100 else 0
