"""Where syslog is listened for, and who may send."""

import ipaddress
import socket
from collections.abc import Iterable
from typing import NamedTuple

from heeler.errors import SourceUnavailable

LOOPBACK = "127.0.0.1"

_LAST_PORT = 65_535


class Endpoint(NamedTuple):
    """An address of this machine and a port of it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can send there."""
        return ipaddress.ip_address(self.host).is_loopback

    def bind(self, kind: socket.SocketKind) -> socket.socket:
        """Return a bound socket that does not block. Raises `SourceUnavailable`."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        bound = socket.socket(family, kind)
        try:
            bound.settimeout(0)
            if kind == socket.SOCK_STREAM:  # else a restart would wait for connections that have ended
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:  # an IPv4 sender has one name, whichever socket it comes by
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind((self.host, self.port))
        except OSError as error:
            bound.close()
            below = " Ports below 1024 need the capability CAP_NET_BIND_SERVICE." if 0 < self.port < 1024 else ""
            raise SourceUnavailable(f"{self} cannot be listened on: {error.strerror}.{below}") from error
        return bound


def endpoint_of(text: str) -> Endpoint:
    """Read ``127.0.0.1:5514``, ``[::1]:5514``, or ``5514`` for a port of the loopback. Raises `ValueError`."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    wrong = f'{text!r} is no address to listen on; write a port, or an address and a port, such as "127.0.0.1:5514".'
    if not (port.isascii() and port.isdigit() and int(port) <= _LAST_PORT):
        raise ValueError(wrong)
    try:
        return Endpoint(str(ipaddress.ip_address(host or LOOPBACK)), int(port))
    except ValueError:
        raise ValueError(wrong) from None


class Admission:
    """Says whose messages are taken. This machine's always are; without networks, everybody's."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def admits(self, peer: str) -> bool:
        """Whether an address, which may name an interface behind a ``%``, may send."""
        address = ipaddress.ip_address(peer.partition("%")[0])
        return (
            not self._networks
            or address.is_loopback
            or any(address.version == network.version and address in network for network in self._networks)
        )
