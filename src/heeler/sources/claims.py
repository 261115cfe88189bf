"""Which path reads which file: one with several names is read once."""

from heeler.sources.file_identity import Identity
from heeler.sources.file_lines import OpenFile
from heeler.sources.file_position import KnownFiles


class Claims:
    """Which path reads which file, so that a file with several names is read once."""

    def __init__(self) -> None:
        self._owners: dict[tuple[int, int], object] = {}
        self._known: dict[tuple[int, int], list[KnownFiles]] = {}

    def know(self, known: KnownFiles) -> None:
        """Take note of what was read of the files of one path."""
        for place in known.places.values():
            self.note(place.identity, known)

    def note(self, identity: Identity, known: KnownFiles) -> None:
        """Take note that something was read of one file."""
        noted = self._known.setdefault((identity.device, identity.inode), [])
        if known not in noted:
            noted.append(known)

    def is_free(self, device: int, inode: int, owner: object) -> bool:
        """Tell whether ``owner`` may read a file."""
        return self._owners.get((device, inode), owner) is owner

    def take(self, identity: Identity, owner: object) -> None:
        """Let nobody else read a file."""
        self._owners[identity.device, identity.inode] = owner

    def release(self, identity: Identity, owner: object) -> None:
        """Let others read a file."""
        if self._owners.get((identity.device, identity.inode)) is owner:
            del self._owners[identity.device, identity.inode]

    def go_on(self, file: OpenFile, known: KnownFiles) -> None:
        """Move a file to where it was read before under another path than that of ``known``."""
        for other in self._known.get((file.identity.device, file.identity.inode), ()):
            if other is not known and any(file.resume(place) for _, place in other.of(file.identity)):
                return
