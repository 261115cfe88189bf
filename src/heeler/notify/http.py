"""Posting JSON to an address that was looked at first, over a connection to exactly that address.

A name can lead anywhere, and elsewhere each time it is asked. So it is resolved once, what it resolved to is checked,
and the connection goes to what was checked (server-side request forgery, CWE-918). Redirects are not followed.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from heeler.notify.settings import NotTold

SECONDS: Final = 10.0
MOST_ANSWER_BYTES: Final = 64 << 10


def wrong_with(url: str) -> str:
    """Return in a sentence what is wrong with a URL to post to; empty where nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"{url!r} is no URL: {error}."
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{url!r} is no URL to post to; write https://HOST/PATH."
    if parts.username or parts.password:
        return "A URL with a password in it would be shown; leave it out."
    return "" if port != 0 else f"{url!r} names port 0, where nobody listens."


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> bytes:
    """Post to a URL and return the answer. Raises `NotTold` for any other answer than 2xx, and where none comes."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = checked_address(host, port, allow_private=allow_private)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.sock = _connected(address, port, host if secure else "")
        connection.request("POST", target, body, {"User-Agent": "heeler", "Connection": "close", **headers})
        answer = connection.getresponse()
        told = answer.read(MOST_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise NotTold(f"{_shown(url)} cannot be reached: {error or type(error).__name__}.") from error
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise NotTold(f"{_shown(url)} answered {answer.status} {answer.reason}.")
    return told


def checked_address(host: str, port: int, *, allow_private: bool) -> str:
    """Return an address that ``host`` has and that may be asked. Raises `NotTold`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotTold(f"The host {host!r} is not known: {error}.") from error
    addresses = [str(one[4][0]) for one in found]
    for address in addresses:
        if allow_private or is_public(address):
            return address
    raise NotTold(f"{host!r} is at {addresses[0]}, a private address; allow_private = true lets alerts be sent there.")


def is_public(address: str) -> bool:
    """Tell whether an address is one of the Internet, and not of this machine or its network."""
    read = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(read, "ipv4_mapped", None) or getattr(read, "sixtofour", None)
    return (
        read.is_global and not read.is_multicast and (mapped is None or (mapped.is_global and not mapped.is_multicast))
    )


def _connected(address: str, port: int, tls_name: str) -> socket.socket:
    connected = socket.create_connection((address, port), SECONDS)
    if not tls_name:
        return connected
    try:
        return ssl.create_default_context().wrap_socket(connected, server_hostname=tls_name)
    except BaseException:
        connected.close()
        raise


def _shown(url: str) -> str:
    """Return a URL without its query and path, which may hold a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
