"""Durations, rates and sizes as people write them."""

import re
from fractions import Fraction

from heeler.errors import UsageError

SECONDS = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600), "d": Fraction(86_400)}
"""The units of a duration, in seconds."""

_DURATION = re.compile(rf"(\d+(?:\.\d+)?)({'|'.join(SECONDS)})")
_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/(s|m|h))?")


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
    return int(seconds)


def rate_per_s(text: str, what: str) -> Fraction:
    """Read ``10``, ``10/s`` or ``600/m`` as a number a second."""
    if found := _RATE.fullmatch(text.strip()):
        return Fraction(found[1]) / SECONDS[found[2] or "s"]
    raise UsageError(f"{what} {text!r} is no rate; give a number of requests a second, such as 10, 0.5 or 600/m.")
