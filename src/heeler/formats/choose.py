"""Which format a file has: the one that somebody names, or the one that fits its first lines best."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from heeler.errors import UsageError
from heeler.formats import Format
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.definitions import Entry, catalog_entries, formats_of, made
from heeler.formats.lines import Lines, split
from heeler.formats.logformat import from_apache, from_nginx
from heeler.formats.nested import Inner, Nested, fitted, may_be_carried
from heeler.formats.plain import Plain
from heeler.formats.template import Template
from heeler.formats.text import lines_of
from heeler.formats.w3c import from_header

PLAIN = Plain()

FEWEST_PARSED = 0.1
"""A format that fits a smaller share of the lines is met by chance: the file is plain text."""

SAMPLE_BYTES = 64 << 10
"""By how much of a file its format is recognised."""

_BINARY_SAMPLE_BYTES = 8 << 10
_FEWEST_RECORDS = 0.02
"""Lines that go on with records count as parsed where at least this share of all lines are records."""

_MOST_INNER = 3
_INNER_LOGS: Final = ("json", "logfmt")


@dataclass(frozen=True, slots=True)
class Guess:
    """One format that may be the right one, and the share (0 to 1) of the sample that it parses."""

    format: Format
    rate: float


class Formats(Mapping[str, Format]):
    """Every format that can be named, the likeliest first, and what is known of them for guessing.

    Each is made when it is first asked for: compiling a pattern takes a moment, and most files need only a few.
    """

    def __init__(self, own: Mapping[str, Format] = {}, own_entries: Mapping[str, Entry] = {}) -> None:
        """``own`` are formats of a user, which count before those that come with Heeler."""
        self._own = (*own, *(name for name in own_entries if name not in own))
        self._own_entries = own_entries
        self._made: dict[str, Format] = {**{name: ACCESS_FORMATS[name] for name in ACCESS_FORMATS}, **own}
        self._made[PLAIN.name] = PLAIN
        self._first = [*own, *(name for name in ACCESS_FORMATS if name not in own)]

    @cached_property
    def _entries(self) -> Mapping[str, Entry]:
        return {**catalog_entries(), **self._own_entries}

    @cached_property
    def _names(self) -> list[str]:
        return [*self._first, *(name for name in self._entries if name not in self._first), PLAIN.name]

    def __getitem__(self, name: str) -> Format:
        if name not in self._made:
            self._made[name] = made(self._entries[name], name, self)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        # The catalog is read only for those who go on behind the likeliest.
        yield from self._first
        yield from self._names[len(self._first) :]

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._made or name in self._entries

    @property
    def own(self) -> Mapping[str, Format]:
        """Those of a user."""
        return {name: self[name] for name in self._own}

    def title(self, name: str) -> str:
        """Return what a format is, for people; empty where nothing says it."""
        return str(self._entry(name).get("title", ""))

    def carries(self, name: str) -> bool:
        """Tell whether messages of a format may be lines of others."""
        return bool(self._entry(name).get("carries"))

    def is_json(self, name: str) -> bool:
        """Tell whether a format reads JSON, without making it."""
        return self._entry(name).get("kind") == "json"

    def weight(self, name: str) -> float:
        """Return how much the rate of a format counts: less for one that fits nearly anything."""
        return float(self._entry(name).get("weight", 1.0))

    def of_requests(self) -> list[Format]:
        """Return the formats of the table ``access``."""
        return [self[name] for name in self if name in self._first or self._entry(name).get("table") == "access"]

    def _entry(self, name: str) -> Entry:
        if name in self._own_entries:
            return self._own_entries[name]
        return {} if name in self._first else self._entries.get(name, {})


FORMATS = Formats()
"""The formats that come with Heeler."""


def formats_with(own: Mapping[str, Entry]) -> Formats:
    """Return the formats that come with Heeler behind those of a user's entries. Raises what `made` raises."""
    return Formats(formats_of(own, FORMATS), own)


def format_named(text: str, known: Mapping[str, Format] | None = None) -> Format:
    """Return the format called ``text``, or made of it.

    A text with ``{fields}`` is a template, one with ``$variables`` an nginx ``log_format``, one with ``%directives``
    an Apache ``LogFormat``. Raises `UsageError` for anything else that is not a known name.
    """
    formats = FORMATS if known is None else known
    if text in formats:
        return formats[text]
    if "{" in text and "$" not in text and "%" not in text:
        return Template("custom", text)
    if "$" in text:
        return Template("custom", from_nginx(text))
    if "%" in text:
        return Template("custom", from_apache(text))
    close = difflib.get_close_matches(text, formats, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(one) for one in close)}?" if close else ""
    raise UsageError(
        f"There is no format named {text!r}.{hint} Known are {', '.join(formats)}; or give a template such as "
        "'{client} {ident} {user} [{time}] \"{request}\" {status} {bytes}', an nginx log_format or an Apache LogFormat."
    )


def guesses(sample: Lines, known: Formats | None = None) -> list[Guess]:
    """Return the formats by the share of ``sample`` that they parse, best first, without those that parse nothing.

    A line that a template reads only by tolerating blanks and quotes where none belong counts half: such a reading
    often fits a poorer format, which takes the rest of the line for the last field. A format that fits nearly anything
    comes behind one that says more, even where it fits a few lines more. The best is as it would be used: as the
    sample is written, and with the formats that its messages are of.
    """
    formats = FORMATS if known is None else known
    best = [guess for _, guess in sorted(_weighed(sample, formats), key=lambda one: -one[0])]
    return [Guess(_as_used(best[0].format, sample, formats), best[0].rate), *best[1:]] if best else []


def best_guess(sample: Lines, known: Formats | None = None) -> Guess | None:
    """Return the first of the `guesses`, None where nothing fits; what cannot be better any more is not tried."""
    formats = FORMATS if known is None else known
    best: tuple[float, Guess] | None = None
    for weighed, guess in _weighed(sample, formats):
        if best is None or weighed > best[0]:
            best = weighed, guess
        if weighed == 1.0:
            break
    return Guess(_as_used(best[1].format, sample, formats), best[1].rate) if best else None


def _weighed(sample: Lines, formats: Formats) -> Iterator[tuple[float, Guess]]:
    """Yield each format that parses some of ``sample``, with how much that counts; of equals the first is the best."""
    if (header := from_header(sample.data)) is not None and len(sample):
        rate = float(np.mean(header.parse(sample, ())["parsed"].to_numpy()))
        yield rate, Guess(header, rate)
    begins_json = b"{" in sample.data
    for name in formats:
        if name == PLAIN.name or (formats.is_json(name) and not begins_json):
            continue
        if rate := _rate(formats[name], sample):
            yield rate * formats.weight(name), Guess(formats[name], rate)


def format_of(sample: bytes, known: Formats | None = None, fewest: float = FEWEST_PARSED) -> Format:
    """Return the format that fits the beginning of a file best; plain text where none fits a share of ``fewest``."""
    sample = sample[:SAMPLE_BYTES]
    lines = split(sample[: sample.rfind(b"\n") + 1] or sample)
    best = best_guess(lines, known)
    return best.format if best and best.rate >= fewest else PLAIN


def _rate(one: Format, sample: Lines) -> float:
    if not len(sample):
        return 0.0
    if isinstance(one, Template):
        strict, lenient = one.fitting(sample)
        return (strict + lenient) / 2 / len(sample)
    outer: Any = one.outer if isinstance(one, Nested) else one
    fits, continues = outer.fits(sample)
    records = int(fits.sum())
    if records < _FEWEST_RECORDS * len(sample):
        return records / len(sample)
    # Only what stands behind a record goes on with it.
    return (records + int(continues[int(fits.arg_max() or 0) :].sum())) / len(sample)


def _as_used(one: Format, sample: Lines, formats: Formats) -> Format:
    """Return a format as the sample is written, and with the formats that its messages are of."""
    carrier = one.outer if isinstance(one, Nested) else one
    if formats.carries(carrier.name):
        given = (
            [inner.inner for inner in one.members[1:] if isinstance(inner, Inner)] if isinstance(one, Nested) else []
        )
        message = carrier.parse(sample, {"message"})["message"].drop_nulls()
        if inner := _inner(message, given, formats):
            one = Nested(carrier, inner)
    return fitted(one, sample)


def _inner(message: pl.Series, given: Sequence[Format], formats: Formats) -> list[Format]:
    """Return the formats of messages: those that are ``given``, then those of requests, then what names its fields."""
    found = list(given)
    for one in given:
        message = message.filter(~one.parse(lines_of(message), ())["parsed"])
    if not may_be_carried(message):
        return found
    requests = [one for one in formats.of_requests() if one not in found]
    for may_be in (requests, [formats[name] for name in _INNER_LOGS]):
        for _ in range(_MOST_INNER):
            best, most = None, 0
            for one in may_be:
                told = message.filter(message.str.contains(Inner(PLAIN, one).sign))
                hits = round(_rate(one, lines_of(told)) * len(told)) if len(told) and one not in found else 0
                if hits > most:
                    best, most = one, hits
            if best is None:
                break
            found.append(best)
            message = message.filter(~best.parse(lines_of(message), ())["parsed"])
    return found


def is_binary(data: bytes) -> bool:
    """Tell whether ``data`` begins as no text does: with a NUL in the first 8 KB."""
    return b"\0" in data[:_BINARY_SAMPLE_BYTES]
