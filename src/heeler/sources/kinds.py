"""The kinds of sources. Adding one is its file, its settings beside it, and a line here."""

from collections.abc import Mapping
from typing import Final

from heeler.sources.command import CommandSettings
from heeler.sources.file_settings import FileSettings
from heeler.sources.http import HttpSettings
from heeler.sources.settings import SourceSettings
from heeler.sources.syslog import SyslogSettings

KINDS: Final[Mapping[str, type[SourceSettings]]] = {
    "file": FileSettings,
    "command": CommandSettings,
    "http": HttpSettings,
    "syslog": SyslogSettings,
}
"""The settings of each kind, by the name that stands as ``kind`` in ``[sources.NAME]``."""
