"""The option `--config` and what it says of formats."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from heeler.errors import UsageError
from heeler.formats.choose import FORMATS, Formats, formats_with
from heeler.formats.definitions import Entry, entries_in
from heeler.views.escape import printable

ConfigOption = Annotated[
    str,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Formats of your own, as [formats.NAME]. Default: HEELER_CONFIG, else ./heeler.toml where there is one.",
        show_default=False,
    ),
]

_DEFAULT = Path("heeler.toml")


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration file and what it says of formats; without a file ``path`` is None."""

    path: Path | None
    text: str
    entries: Mapping[str, Entry]
    formats: Formats


def configuration(config: str) -> Configuration:
    """Return the configuration that was named, or is found.

    Raises `UsageError` for a file that was named and is not there, or that cannot be understood.
    """
    named = config or os.environ.get("HEELER_CONFIG", "")
    path = Path(named) if named else _DEFAULT
    if not path.is_file():
        if named:
            raise UsageError(f"There is no configuration {printable(named)}; check --config and HEELER_CONFIG.")
        return Configuration(None, "", {}, FORMATS)
    own, text = entries_in(path)
    return Configuration(path, text, own, formats_with(own))


def configured_formats(config: str) -> Formats:
    """Return all formats, those of the configuration first. Raises what `configuration` raises."""
    return configuration(config).formats
