"""Formats as data: what `catalog.toml` and a user's ``heeler.toml`` say, and what is stored with records.

``[formats.NAME]`` has ``template``, or ``pattern``, or ``kind`` (``json``, ``logfmt``) with ``columns``; ``table``,
which is ``log`` where nothing else is said; ``title``; ``inner``, names of formats that its messages may be lines of;
``carries``, whether such formats are looked for; ``weight``, less than 1 for what fits too much; and samples.
"""

import difflib
import json
import tomllib
from collections import ChainMap
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from heeler.config.document import read_document
from heeler.errors import UsageError
from heeler.formats import Format
from heeler.formats.jsonlines import Json
from heeler.formats.logfmt import Logfmt
from heeler.formats.nested import Inner, Nested
from heeler.formats.patterns import Pattern
from heeler.formats.plain import Plain
from heeler.formats.template import Template
from heeler.formats.w3c import W3c

Entry = Mapping[str, Any]

_BY_KIND: Final[Mapping[str, Callable[[str, Entry, str], Format]]] = {
    one.kind: one for one in (Pattern, Json, Logfmt, W3c)
}
_OF_THE_ENTRY: Final = ("title", "table", "kind", "samples", "inner", "template", "weight", "carries")
"""What an entry says beside the definition of its format."""


def entries(values: Mapping[str, Any], path: str) -> dict[str, Entry]:
    """Return the entries of ``[formats]`` in the values of a file, by name. Raises `UsageError` for what is none."""
    read = values.get("formats", {})
    if not isinstance(read, dict) or not all(isinstance(entry, dict) for entry in read.values()):
        raise UsageError(f"{path}: [formats] must hold a table for each format, as [formats.mine].")
    return read


def made(entry: Entry, name: str, others: Mapping[str, Format]) -> Format:
    """Make the format of an entry; ``others`` are those it may name as ``inner``.

    Raises `TemplateError`, with the place, for a pattern or template that cannot be understood, and `UsageError` for
    anything else.
    """
    if name == Plain.name:
        raise UsageError(f"A format cannot be named {name!r}, which is what every line is; give it another name.")
    table = entry.get("table", "log")
    if table not in {"access", "log"}:
        raise UsageError(f"The format {name!r} is for the table {table!r}; there are access and log.")
    if "template" in entry and "zone" in entry:
        raise UsageError(f"The format {name!r} has a zone; the times of a template name their zone, so leave it out.")
    if "template" in entry:
        return Template(name, entry["template"], table)
    kind = entry.get("kind", "pattern")
    needed = "pattern" if kind == "pattern" else "columns"
    if kind not in _BY_KIND or needed not in entry:
        raise UsageError(f"The format {name!r} needs a template, a pattern, or a kind (json, logfmt) with columns.")
    try:
        format_made = _BY_KIND[kind](
            name, {key: value for key, value in entry.items() if key not in _OF_THE_ENTRY}, table
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"The format {name!r} cannot be understood: {error!r} in its definition.") from error
    if missing := [one for one in entry.get("inner", ()) if one not in others]:
        close = difflib.get_close_matches(missing[0], others, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UsageError(f"The format {name!r} names {missing[0]!r} as inner, which is no format above it.{hint}")
    return Nested(format_made, [others[one] for one in entry["inner"]]) if "inner" in entry else format_made


def catalog_entries() -> dict[str, Entry]:
    """Return the entries of the formats that come with Heeler."""
    text = resources.files("heeler.formats").joinpath("catalog.toml").read_text(encoding="utf-8")
    return entries(tomllib.loads(text), "catalog.toml")


def formats_of(read: Mapping[str, Entry], known: Mapping[str, Format]) -> dict[str, Format]:
    """Return the formats of entries, by name, in their order. Names of ``known`` may be used as ``inner``."""
    found: dict[str, Format] = {}
    for name, entry in read.items():
        found[name] = made(entry, name, ChainMap(found, known))  # type: ignore[arg-type]  # nothing is put into it
    return found


def entries_in(path: Path) -> tuple[dict[str, Entry], str]:
    """Return the entries that a file of a user has, and its text. Raises what `read_document` raises."""
    document = read_document(path)
    return dict(entries(document.values, str(path))), document.text


def restored(name: str, table: str, text: str) -> Format:
    """Return the format that records were stored with: from its definition alone, whatever has changed since."""
    if (name, table, text) == (Plain.name, Plain.table, Plain.text):
        return Plain()
    if not text.startswith('{"'):
        return Template(name, text, table)
    definition = json.loads(text)
    kind = definition.pop("kind")
    if kind == Inner.kind:
        return Inner(restored(*definition["outer"]), restored(*definition["inner"]))
    return _BY_KIND[kind](name, definition, table)
