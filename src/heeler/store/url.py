"""What the URL of a store says. Apart from opening it, so that who only asks a running process waits for no engine."""

import re
from pathlib import Path

from platformdirs import user_data_path

from heeler.errors import UsageError

DEFAULT = "lake:"
"""The lake in the user's data directory."""

EXTRAS = {"timescale": "postgres", "lake+postgres": "postgres", "postgres": "postgres", "postgresql": "postgres"}
"""The stores that are not part of Heeler itself, and the extra that each needs."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)


def lake_folder(url: str) -> Path:
    """Return the folder of the lake that ``url`` names: ``lake:PATH``, or a path alone.

    Raises `UsageError` for every other kind of store.
    """
    found = _SCHEME.fullmatch(url)
    scheme, path = (found[1].lower(), found[2]) if found else ("lake", url)
    if scheme == "lake":
        return Path(path).expanduser().absolute() if path else user_data_path("heeler") / "lake"
    if scheme in EXTRAS:
        raise UsageError(
            f"The store {url!r} needs the extra heeler[{EXTRAS[scheme]}], which this version does not have; "
            "name a folder instead, as lake:PATH."
        )
    raise UsageError(
        f"The store {url!r} is of no known kind; give lake:PATH, where PATH is a folder (lake:{url} if that is its "
        "name)."
    )
