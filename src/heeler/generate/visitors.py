"""Who visits: a few thousand clients, each with its address, name, browser and protocol."""

from ipaddress import IPv6Address, ip_network

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heeler.generate.words import BROWSERS, ROBOTS, USERS

CLIENTS = 3000
IPV6_SHARE = 0.12
ROBOT_SHARE = 0.1
NAMED_SHARE = 0.02
HTTP2_SHARE = 0.7

NETWORKS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""Addresses that belong to nobody: for documentation, and private ones."""


def zipf(count: int, exponent: float = 1.0) -> NDArray[np.float64]:
    """Weights of things of which the first are far more popular than the last."""
    return np.arange(1, count + 1, dtype=np.float64) ** -exponent


def pick(random: np.random.Generator, weights: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Draw ``count`` indices by their weights."""
    until = np.cumsum(weights / weights.sum())
    until[-1] = 1.0  # the sum may fall short of it by a rounding
    return np.searchsorted(until, random.random(count), side="right")


class Visitors:
    """All clients as columns: what a line says of its client, as the pieces of text that it is made of."""

    def __init__(self, random: np.random.Generator) -> None:
        self.is_robot = random.random(CLIENTS) < ROBOT_SHARE
        browser = pick(random, zipf(len(BROWSERS), 0.6), CLIENTS)
        robot = len(BROWSERS) + pick(random, zipf(len(ROBOTS), 0.6), CLIENTS)
        agents = np.array(BROWSERS + ROBOTS)[np.where(self.is_robot, robot, browser)]
        has_name = (random.random(CLIENTS) < NAMED_SHARE) & ~self.is_robot
        users = np.where(has_name, random.choice(USERS, CLIENTS), "-")
        modern = (random.random(CLIENTS) < HTTP2_SHARE) & ~self.is_robot
        self.start = pl.Series(
            [f"{address} - {user} [" for address, user in zip(_addresses(random), users, strict=True)]
        )
        self.protocol = pl.Series([f' HTTP/{"2.0" if new else "1.1"}" ' for new in modern])
        self.agent = pl.Series([f'"{agent}"' for agent in agents])
        self._weights = zipf(CLIENTS, 0.8)

    def draw(self, random: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Draw who sends the next ``count`` requests."""
        return pick(random, self._weights, count)


def _addresses(random: np.random.Generator) -> list[str]:
    networks = [ip_network(network) for network in NETWORKS]
    low = int(IPv6Address("2001:db8::"))
    addresses = []
    for is_v6, network, host, subnet in zip(
        random.random(CLIENTS) < IPV6_SHARE,
        random.integers(len(networks), size=CLIENTS),
        random.integers(1, 1 << 62, CLIENTS),
        random.integers(1, 1 << 16, CLIENTS),
        strict=True,
    ):
        if is_v6:
            addresses.append(str(IPv6Address(low + (int(subnet) << 64) + int(host))))
        else:
            space = networks[network]
            addresses.append(str(space[1 + int(host) % (space.num_addresses - 2)]))
    return addresses
