"""`heeler formats`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from heeler.errors import Exit, NothingFound, UsageError
from heeler.formats.choose import FORMATS, guesses, is_binary
from heeler.formats.lines import split
from heeler.views.escape import printable

_SAMPLE_BYTES = 4 << 20
_SHOWN = 3


def formats(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Say what this file is.", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> int:
    """List the formats; with a file, the best guesses, how much of its beginning parses, and samples that do not."""
    if not file:
        for known in FORMATS.values():
            row = {"format": known.name, "table": known.table, "template": known.text}
            print(json.dumps(row) if as_json else f"{known.name:<16} {known.table:<8} {known.text}")
        return Exit.DONE
    try:
        with Path(file).open("rb") as opened:
            data = opened.read(_SAMPLE_BYTES)
    except OSError as error:
        raise UsageError(f"{printable(file)} cannot be read: {error.strerror}.") from error
    whole = data[: data.rfind(b"\n") + 1] or data
    lines = split(whole)
    found = guesses(lines)
    if not found:
        what = "a binary file" if is_binary(data) else "none of the access log formats"
        raise NothingFound(f"{printable(file)} is {what}: no line of its beginning parses.")
    for guess in found[:_SHOWN]:
        found_row = {"format": guess.format.name, "rate": round(guess.rate, 4), "lines": len(lines)}
        text = f"{guess.format.name:<16} {guess.rate * 100:6.2f} % of the first {len(lines):,} lines"
        print(json.dumps(found_row) if as_json else text)
    parsed = found[0].format.parse(lines, ())
    for raw in parsed.filter(~parsed["parsed"])["raw"].head(_SHOWN):
        sys.stderr.write(f"does not parse as {found[0].format.name}: {printable(raw)}\n")
    return Exit.DONE
