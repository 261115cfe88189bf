"""Which configuration file is meant."""

import os
from pathlib import Path
from typing import Final

from platformdirs import user_config_path

from heeler.errors import UsageError

NAME: Final = "heeler.toml"
OF_THE_SYSTEM: Final = Path("/etc/heeler") / NAME


def places() -> tuple[Path, ...]:
    """Return where a configuration is looked for when none is named; the first that is there counts."""
    return Path(NAME), user_config_path("heeler") / NAME, OF_THE_SYSTEM


def found_configuration(named: str) -> Path | None:
    """Return the file that ``named``, else ``HEELER_CONFIG``, else a place of `places` says; None where none is.

    Raises `UsageError` for a file that was named and is not there.
    """
    wanted = named or os.environ.get("HEELER_CONFIG", "")
    if not wanted:
        return next((path for path in places() if _is_there(path)), None)
    if not _is_there(path := Path(wanted)):
        shown = wanted if wanted.isprintable() else ascii(wanted)
        raise UsageError(f"There is no configuration {shown}; check --config and HEELER_CONFIG.")
    return path


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a folder on the way that may not be looked into, or no name of a file at all
        return False
