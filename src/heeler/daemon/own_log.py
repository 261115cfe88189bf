"""Heeler's own log: a line for whatever people should know, on stderr or in a rotated file."""

import logging
import sys
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from heeler.errors import EnvironmentFailed

LARGEST_BYTES, KEPT = 10_000_000, 5
"""The file is rotated when it is as large; so many older ones are kept."""

_LEVEL = logging.INFO


def own_log(path: Path | None, show: Callable[[str], str], *, dated: bool = True) -> Callable[[str], None]:
    """Return what writes a sentence to the file at ``path``, or to stderr where there is none.

    ``show`` makes a text safe to be read on a terminal. ``dated`` false leaves out the time, where whoever reads stderr
    (systemd) adds one. Raises `EnvironmentFailed` where the file cannot be written.
    """
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handler = RotatingFileHandler(path, maxBytes=LARGEST_BYTES, backupCount=KEPT, encoding="utf-8")
        except OSError as error:
            raise EnvironmentFailed(f"Heeler's own log {path} cannot be written: {error.strerror}.") from error
    form = "%(asctime)s %(message)s" if dated else "%(message)s"
    handler.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S%z"))
    logger = logging.Logger("heeler", _LEVEL)  # noqa: LOG001 - not of the tree of loggers, so libraries write elsewhere
    logger.addHandler(handler)
    # Lines behind the first are indented: what a text holds cannot look like an entry of its own.
    return lambda text: logger.info("%s", "\n    ".join(map(show, text.rstrip("\n").split("\n"))))
