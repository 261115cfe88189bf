"""Addresses to listen on."""

import pytest

from heeler.sources.listening import Address, address_of


@pytest.mark.parametrize(
    ("text", "address", "is_loopback"),
    [
        ("127.0.0.1:8514", Address("127.0.0.1", 8514), True),
        ("127.9.9.9:1", Address("127.9.9.9", 1), True),
        ("[::1]:8514", Address("::1", 8514), True),
        ("localhost:0", Address("localhost", 0), True),
        ("0.0.0.0:80", Address("0.0.0.0", 80), False),  # noqa: S104 - read, not bound
        (":80", Address("", 80), False),
        ("[2001:db8::1]:80", Address("2001:db8::1", 80), False),
        ("web.example.com:80", Address("web.example.com", 80), False),
    ],
)
def test_an_address_is_read_and_known_to_be_reachable_or_not(text: str, address: Address, *, is_loopback: bool) -> None:
    assert address_of(text) == address
    assert address.is_loopback is is_loopback
    assert address_of(str(address)) == address


@pytest.mark.parametrize("text", ["", "127.0.0.1", "::1:80", "h:", "h:x", "h:70000", "h:-1", "h:٣"])
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        address_of(text)
