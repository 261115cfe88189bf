"""Addresses that sources listen on, and who can reach them."""

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """A host, by number or name, and a port; 0 lets the system choose one. Without a host it is every address."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def address_of(text: str) -> Address:
    """Read ``127.0.0.1:8514``, ``[::1]:8514``, or ``:8514`` for every address. Raises `ValueError` with a sentence."""
    host, colon, port = text.strip().rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65_535 or (":" in host and not is_bracketed):
        raise ValueError(f"{text!r} is no address; write HOST:PORT, such as 127.0.0.1:8514 or [::1]:8514.")
    return Address(host.strip("[]"), int(port))
