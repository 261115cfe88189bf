"""`heeler formats`."""

import json
import sys
from typing import Annotated

import typer

from heeler.cli.config_option import ConfigOption
from heeler.cli.own_formats import ConfiguredFormats, read_formats
from heeler.clock import SystemClock
from heeler.errors import Exit, NothingFound
from heeler.formats import Format, members_of
from heeler.formats.choose import FEWEST_PARSED, Formats, guesses, is_binary
from heeler.formats.lines import Lines, split
from heeler.formats.samples import disagreements, line_number
from heeler.sources.beginning import beginning
from heeler.views.escape import printable

_SAMPLE_BYTES = 4 << 20
_SHOWN = 3


def formats(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Say what this file is; it may be compressed.", show_default=False)
    ] = "",
    config: ConfigOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> int:
    """List the formats; with a file, the best guesses, how much of its beginning parses, and samples that do not.

    Samples of your own formats are checked, and the command fails where one does not become what it says.
    """
    configured = read_formats(config)
    known = configured.formats
    disagreeing = _show_disagreements(configured)
    if not file:
        _list(known, as_json=as_json)
        return disagreeing
    data = beginning(file, _SAMPLE_BYTES)
    lines = split(data[: data.rfind(b"\n") + 1] or data)
    found = [guess for guess in guesses(lines, known) if guess.rate >= FEWEST_PARSED]
    if not found:
        what = "a binary file" if is_binary(data) else "none of the known formats"
        raise NothingFound(f"{printable(file)} is {what}: no line of its beginning parses, or only a few.")
    for guess in found[:_SHOWN]:
        inner = [member.name.partition("/")[2] for member in members_of(guess.format)[1:]]
        if as_json:
            row = {
                "format": guess.format.name,
                "table": guess.format.table,
                "rate": round(guess.rate, 4),
                "inner": inner,
            }
            print(json.dumps(row | {"lines": len(lines)}))
        else:
            carries = f", carrying {' and '.join(inner)}" if inner else ""
            print(f"{guess.format.name:<20} {guess.rate * 100:6.2f} % of the first {len(lines):,} lines{carries}")
    _show_unparsed(found[0].format, lines)
    return disagreeing


def _show_disagreements(configured: ConfiguredFormats) -> Exit:
    """Show the samples of a configuration that do not become what they say."""
    result = Exit.DONE
    for one in disagreements(configured.entries, configured.formats, SystemClock().now_us()):
        line = line_number(configured.text, one.format, one.number)
        where = f"{configured.path}:{line}" if line else f"{configured.path}"
        sys.stderr.write(
            f"{printable(where)}: sample {one.number} of the format {printable(one.format)!r} disagrees:\n"
        )
        sys.stderr.write(f"  {printable(one.line)}\n")
        for difference in one.differences:
            sys.stderr.write(f"  {printable(difference)}\n")
        result = Exit.NOTHING_FOUND
    return result


def _list(known: Formats, *, as_json: bool) -> None:
    for name, one in known.items():
        title = known.title(name)
        if as_json:
            print(json.dumps({"format": name, "table": one.table, "title": title, "template": one.text}))
        else:
            print(f"{name:<20} {one.table:<8} {title or one.text}")


def _show_unparsed(known: Format, lines: Lines) -> None:
    parsed = known.parse(lines, ())
    for raw in parsed.filter(~parsed["parsed"])["raw"].head(_SHOWN):
        sys.stderr.write(f"does not parse as {known.name}: {printable(raw)}\n")
