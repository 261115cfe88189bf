"""What is said of a followed path when its lines are not simply those of one file."""

from pathlib import Path

from heeler.model import SourceEvent
from heeler.sources.file_lines import OpenFile
from heeler.sources.file_position import Place
from heeler.sources.generations import AnyFile


def rotated(path: Path) -> SourceEvent:
    """Say that a new file stands there."""
    return SourceEvent("rotated", f"Another file stands at {path} now; it is read from its start.")


def removed(path: Path) -> SourceEvent:
    """Say that rotated files may be gone of which nothing is known."""
    return SourceEvent(
        "removed",
        f"Rotated files of {path} may have been removed before anything of them was read, or could not be opened; what"
        " stood in them is not known.",
        lost_bytes=-1,
    )


def lost(path: Path, here: OpenFile | None, place: Place) -> SourceEvent:
    """Say that a file of which something was read cannot be found."""
    if here and here.identity.may_be(place.identity):
        return changed(path, here.size, place, None)
    return SourceEvent(
        "replaced",
        f"The file that {path} was up to byte {place.offset} cannot be found; what was written to it after"
        " that is not known. The file that stands there now is read from its start.",
        lost_bytes=-1,
    )


def copied(path: Path, copy: AnyFile) -> SourceEvent:
    """Say that a file was copied and truncated, and that the copy was read to its end."""
    message = (
        f"{path} was copied to {copy.path.name} and truncated; the rest was read there. What was written between"
        " the copy and the truncation is not known."
    )
    return SourceEvent("truncated", message, lost_bytes=-1)


def changed(path: Path, size: int, was: Place, copy: AnyFile | None) -> SourceEvent:
    """Say that the bytes before the offset are no longer those that were read."""
    if copy:
        return copied(path, copy)
    if size < was.offset:
        message = f"{path} was truncated from {was.offset} bytes or more to {size}; it is read from its start."
        return SourceEvent("truncated", message, lost_bytes=-1)
    message = (
        f"{path} was rewritten: the bytes before byte {was.offset} are not those that were read; it is read from its "
        "start."
    )
    return SourceEvent("rewritten", message, lost_bytes=-1)
