"""A network as a regex holds exactly the addresses that the standard library says, however they are written."""

import ipaddress
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heeler.query.network import address_pattern

v4 = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
groups = st.lists(st.sampled_from([0, 0, 0, 1, 0xDB8, 0x2001, 0xFFFF, 0xAB]), min_size=8, max_size=8)
v6 = groups.map(lambda some: ipaddress.IPv6Address(":".join(f"{one:x}" for one in some)))


def matches(network: str, text: str) -> bool:
    return re.search(address_pattern(network).replace(r"\z", r"\Z"), text) is not None


@st.composite
def networks(draw: st.DrawFn) -> str:
    address = draw(v4 | v6)
    return f"{address}/{draw(st.integers(0, address.max_prefixlen))}"


def ways(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[str]:
    if address.version == 4:
        return [str(address), f"0{address}", f"{address}.1", f"::ffff:{address}"]
    long = address.exploded
    short = [group.lstrip("0") or "0" for group in long.split(":")]
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    found = [str(address), long, long.upper(), ":".join(short), ":".join([*short[:6], str(last)])]
    runs = ((begin, end) for begin in range(8) for end in range(begin + 1, 9))
    return found + [":".join(short[:begin]) + "::" + ":".join(short[end:]) for begin, end in runs]


@settings(max_examples=120)
@given(networks(), v4 | v6)
def test_an_address_is_held_if_the_network_holds_it(
    network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    read = ipaddress.ip_network(network, strict=False)
    near = read.network_address + int(address) % min(read.num_addresses, 1 << 20)
    for text in ways(address) + ways(near):
        try:
            expected = ipaddress.ip_address(text) in read
        except ValueError:
            expected = False
        assert matches(network, text) == expected, text


@pytest.mark.parametrize(
    "text", ["", "-", "10.0.0.1:80", "10.0.0", "fe80::1%eth0", "::1::", "1:2:3:4:5:6:7:8:9", "host"]
)
def test_what_is_no_address_is_in_no_network(text: str) -> None:
    assert not matches("0.0.0.0/0", text)
    assert not matches("::/0", text)
