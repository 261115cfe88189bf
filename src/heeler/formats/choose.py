"""Which format a file has: the one that somebody names, or the one that fits its first lines best."""

import difflib
from dataclasses import dataclass

from heeler.errors import UsageError
from heeler.formats import Format
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.lines import Lines
from heeler.formats.logformat import from_apache, from_nginx
from heeler.formats.plain import Plain
from heeler.formats.template import Template

PLAIN = Plain()
FORMATS: dict[str, Format] = {**ACCESS_FORMATS, "plain": PLAIN}
"""Every format that can be named, the likeliest first."""

_BINARY_SAMPLE_BYTES = 8 << 10


@dataclass(frozen=True, slots=True)
class Guess:
    """One format that may be the right one, and the share (0 to 1) of the sample that it parses."""

    format: Format
    rate: float


def format_named(text: str) -> Format:
    """Return the format called ``text``, or made of it.

    A text with ``{fields}`` is a template, one with ``$variables`` an nginx ``log_format``, one with ``%directives``
    an Apache ``LogFormat``. Raises `UsageError` for anything else that is not a known name.
    """
    if text in FORMATS:
        return FORMATS[text]
    if "{" in text and "$" not in text and "%" not in text:
        return Template("custom", text)
    if "$" in text:
        return Template("custom", from_nginx(text))
    if "%" in text:
        return Template("custom", from_apache(text))
    close = difflib.get_close_matches(text, FORMATS, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise UsageError(
        f"There is no format named {text!r}.{hint} Known are {', '.join(FORMATS)}; or give a template such as "
        "'{client} {ident} {user} [{time}] \"{request}\" {status} {bytes}', an nginx log_format or an Apache LogFormat."
    )


def guesses(sample: Lines) -> list[Guess]:
    """Return the formats by the share of ``sample`` that they parse, best first, without those that parse nothing.

    A line that a format reads only by tolerating blanks and quotes where none belong counts half: such a reading
    often fits a poorer format, which takes the rest of the line for the last field.
    """
    found = []
    for known in ACCESS_FORMATS.values():
        strict, lenient = known.fitting(sample)
        if lenient:
            found.append(Guess(known, (strict + lenient) / 2 / len(sample)))
    return sorted(found, key=lambda guess: -guess.rate)


def is_binary(data: bytes) -> bool:
    """Tell whether ``data`` begins as no text does: with a NUL in the first 8 KB."""
    return b"\0" in data[:_BINARY_SAMPLE_BYTES]
