"""The first bytes of what a file holds, for looking at it."""

from pathlib import Path
from typing import BinaryIO

from heeler.errors import UsageError
from heeler.sources.compressed import Content


class _Opened:
    """An open file as a `heeler.sources.compressed.Raw`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, most: int) -> bytes:
        """See `Raw.read`."""
        return self._file.read(most)

    def seek(self, offset: int) -> bool:
        """See `Raw.seek`."""
        self._file.seek(offset)
        return True


def beginning(path: str, most: int) -> bytes:
    """Return up to ``most`` bytes of a file, decompressed where it is compressed. Raises `UsageError` if it cannot."""
    try:
        with Path(path).open("rb") as file:
            return Content(_Opened(file), path).read(most) or b""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise UsageError(f"{shown} cannot be read: {reason}.") from error
