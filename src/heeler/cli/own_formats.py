"""The formats that a configuration adds to those that come with Heeler."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from heeler.config.finding import found_configuration
from heeler.formats.choose import FORMATS, Formats, formats_with
from heeler.formats.definitions import Entry, entries_in


@dataclass(frozen=True, slots=True)
class ConfiguredFormats:
    """A configuration file and what it says of formats; without a file ``path`` is None.

    Nothing else in it is looked at: what only collecting needs, such as a secret, keeps nobody from watching.
    """

    path: Path | None
    text: str
    entries: Mapping[str, Entry]
    formats: Formats


def read_formats(config: str) -> ConfiguredFormats:
    """Read the formats of the configuration that was named, or is found.

    Raises `UsageError` for a file that was named and is not there, or that cannot be understood.
    """
    path = found_configuration(config)
    if path is None:
        return ConfiguredFormats(None, "", {}, FORMATS)
    own, text = entries_in(path)
    return ConfiguredFormats(path, text, own, formats_with(own))


def configured_formats(config: str) -> Formats:
    """Return all formats, those of the configuration first. Raises what `read_formats` raises."""
    return read_formats(config).formats
