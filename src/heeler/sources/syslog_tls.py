"""The certificates of a TLS listener, read again when their files change."""

import ssl
from collections.abc import Callable
from pathlib import Path

from heeler.errors import SourceUnavailable

_Stamp = tuple[tuple[int, int, int], ...]


class Certificates:
    """Makes the context for the next connection. Blocks: it reads files.

    With ``clients``, the authorities in that file must have signed the certificate of whoever connects. Files that are
    renewed are used from the next connection on; where they cannot be (a certificate without its new key yet), the old
    ones go on, and ``notice`` is told once.
    """

    def __init__(
        self, certificate: Path, key: Path | None, clients: Path | None, notice: Callable[[str], None]
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._clients = clients
        self._notice = notice
        self._stamp: _Stamp = ()
        self._context: ssl.SSLContext | None = None
        self._told = ""

    def current(self) -> ssl.SSLContext:
        """Return the context of the files as they are now. Raises `SourceUnavailable` where there never was one."""
        try:
            stamp = self._look()
            if self._context is None or stamp != self._stamp:
                self._stamp = stamp
                self._context = self._load()
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            sentence = f"The TLS certificate {self._certificate} cannot be used: {error}."
            if self._context is None:
                raise SourceUnavailable(f"{sentence} Check the file, its key and the right to read them.") from error
            if sentence != self._told:
                self._told = sentence
                self._notice(f"{sentence} The one that was read before goes on.")
        return self._context

    def _look(self) -> _Stamp:
        files = [file.stat() for file in (self._certificate, self._key, self._clients) if file]
        return tuple((file.st_mtime_ns, file.st_ino, file.st_size) for file in files)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A key with a passphrase would make OpenSSL ask on the terminal, for ever.
        context.load_cert_chain(self._certificate, self._key, password=_no_passphrase)
        if self._clients:
            context.load_verify_locations(self._clients)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _no_passphrase() -> str:
    raise ValueError("its key has a passphrase, and nobody can be asked for it")
