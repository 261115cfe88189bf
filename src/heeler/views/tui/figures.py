"""How numbers are written on the screen: short, aligned, and never more precise than they are."""

import math
from typing import Final

from heeler.units import local

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
#: Three rows of half blocks for each sign of a big figure; all but the dot are three cells wide.
_BIG: Final = {
    "0": ("█▀█", "█ █", "▀▀▀"),
    "1": ("▀█ ", " █ ", "▀▀▀"),
    "2": ("▀▀█", "█▀▀", "▀▀▀"),
    "3": ("▀▀█", " ▀█", "▀▀▀"),
    "4": ("█ █", "▀▀█", "  ▀"),
    "5": ("█▀▀", "▀▀█", "▀▀▀"),
    "6": ("█▀▀", "█▀█", "▀▀▀"),
    "7": ("▀▀█", "  █", "  ▀"),
    "8": ("█▀█", "█▀█", "▀▀▀"),
    "9": ("█▀█", "▀▀█", "▀▀▀"),
    ".": (" ", " ", "▀"),
    "k": ("█ ▄", "█▀▄", "▀ ▀"),
    "M": ("█▄█", "█ █", "▀ ▀"),
}


def count(number: int) -> str:
    """Return ``12,345``, or ``12.3M`` from ten million on."""
    return f"{number:,}" if number < 10_000_000 else f"{number / 1e6:,.1f}M"


def rate(per_second: float) -> str:
    """Return at most five characters: ``8.4``, ``312``, ``12.3k``, ``1.2M``."""
    for limit, divisor, digits, unit in (
        (99.95, 1, 1, ""),
        (9_999.5, 1, 0, ""),
        (99_950, 1e3, 1, "k"),
        (999_500, 1e3, 0, "k"),
    ):
        if per_second < limit:
            return f"{per_second / divisor:.{digits}f}{unit}"
    return f"{per_second / 1e6:.1f}M"


def limit(per_second: float) -> str:
    """Return a threshold as the user gave it, without a trailing ``.0``."""
    return f"{per_second:,.6g}" if per_second < 1e5 else rate(per_second)


def share(part: int, whole: int) -> str:
    """Return six characters, ``12.3 %``; a share that is not quite all is never rounded up to all."""
    if not whole:
        return "     -"
    percent = 100 * part / whole
    if part < whole:
        percent = min(percent, 99.9)
    return " 100 %" if part >= whole else f"{percent:4.1f} %"


def size(number: int) -> str:
    """Return ``24.1 MB``: decimal units, as disks and networks are sold."""
    power = min(int(math.log(number, 1000)), len(_UNITS) - 1) if number else 0
    value = number / 1000**power
    if round(value, 1) >= 1000 and power + 1 < len(_UNITS):
        power, value = power + 1, value / 1000
    return f"{value:.1f} {_UNITS[power]}" if power else f"{number} B"


def span(seconds: int) -> str:
    """Return ``45s``, ``2m``, ``4m 30s``, ``1h 5m``."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    parts = ((hours, "h"), (minute, "m"), (second, "s"))
    return " ".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def clock(time_s: int, zone_minutes: int) -> str:
    """Return ``10:15:40`` in the log's zone."""
    shown = local(time_s, zone_minutes)
    return f"@{time_s}" if shown is None else shown.strftime("%H:%M:%S")


def big(figure: str) -> tuple[str, str, str]:
    """Return a figure of `rate` drawn three rows high."""
    signs = [_BIG[sign] for sign in figure]
    top, middle, bottom = (" ".join(sign[row] for sign in signs) for row in range(3))
    return top, middle, bottom
