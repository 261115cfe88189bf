"""How much traffic there is, and when each request of it arrives."""

import math
from dataclasses import dataclass
from datetime import UTC, timezone

import numpy as np
from numpy.typing import NDArray

from heeler.errors import UsageError
from heeler.units import SECONDS, duration_s, rate_per_s


@dataclass(frozen=True, slots=True)
class Spike:
    """Another rate for a while. ``at_s`` counts from the start; ``rate`` replaces the base rate, and 0 is an outage."""

    at_s: float
    length_s: float
    rate: float

    def __post_init__(self) -> None:
        if not (0 <= self.at_s < math.inf and 0 < self.length_s < math.inf and 0 <= self.rate < math.inf):
            raise UsageError(
                f"{self} cannot happen: "
                "a spike begins at 0 s or later, lasts more than 0 s, and has a rate of 0 or more."
            )


@dataclass(frozen=True, slots=True)
class Traffic:
    """A site's traffic. Equal values give equal bytes, as long as numpy and Polars stay at the same version.

    ``rate`` is the mean number of requests a second; where spikes overlap the later one in ``spikes`` counts.
    ``malformed`` is the share of requests that are no HTTP (scanners, TLS on the plain port) in lines that still parse;
    ``invalid`` is the share of lines that are no access-log line at all.
    """

    seed: int = 1
    rate: float = 5.0
    spikes: tuple[Spike, ...] = ()
    zone: timezone = UTC
    malformed: float = 0.0002
    invalid: float = 0.0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UsageError(f"The seed is {self.seed}; it must be a whole number of 0 or more.")
        if not 0 < self.rate < math.inf:
            raise UsageError(f"The rate is {self.rate}; it must be more than 0 requests a second.")
        if not (self.malformed >= 0 and self.invalid >= 0 and self.malformed + self.invalid <= 1):
            raise UsageError(
                f"The share of malformed requests is {self.malformed} and that of invalid lines {self.invalid}; "
                "each must be 0 or more, and both together 1 at most."
            )


class Arrivals:
    """A Poisson process whose rate changes at the edges of spikes.

    Requests arrive at rate 1 on an operational clock; the real time of each is where the expected number of requests
    up to then reaches the operational time. So spikes move requests in time and change nothing else about them.
    """

    def __init__(self, traffic: Traffic) -> None:
        edges = {0.0}.union(*({spike.at_s, spike.at_s + spike.length_s} for spike in traffic.spikes))
        self._edges = np.array(sorted(edges))
        self._ends = np.append(self._edges[1:], np.inf)
        self._rates = np.array([_rate_at(traffic, edge) for edge in self._edges])
        expected = np.cumsum(np.diff(self._edges) * self._rates[:-1])
        self._expected = np.concatenate([[0.0], expected])
        self._operational = 0.0

    def next(self, gaps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds since the start of the next requests, from exponential ``gaps`` of mean 1."""
        operational = self._operational + np.cumsum(gaps)
        self._operational = float(operational[-1])
        # Of several edges at one place the last is right: those before it begin outages, in which nothing arrives.
        piece = np.searchsorted(self._expected, operational, side="right") - 1
        seconds = self._edges[piece] + (operational - self._expected[piece]) / self._rates[piece]
        # Rounding must not carry a request over the edge, past the first one beyond it.
        within: NDArray[np.float64] = np.minimum(seconds, self._ends[piece])
        return within


def _rate_at(traffic: Traffic, second: float) -> float:
    rate = traffic.rate
    for spike in traffic.spikes:
        if spike.at_s <= second < spike.at_s + spike.length_s:
            rate = spike.rate
    return rate


def parse_spike(text: str) -> Spike:
    """Read ``AT:LENGTH:RATE``, as in ``20s:15s:60``: after 20 seconds, for 15 seconds, 60 requests a second."""
    try:
        at, length, rate = text.split(":")
        spike = (duration_s(at, "The start"), duration_s(length, "The length"), rate_per_s(rate, "The rate"))
    except (ValueError, UsageError) as error:
        raise UsageError(_spike_error(text)) from error
    if spike[1] <= 0:
        raise UsageError(_spike_error(text))
    return Spike(*map(float, spike))


def _spike_error(text: str) -> str:
    return (
        f"The spike {text!r} cannot be understood: give AT:LENGTH:RATE, two durations and the requests a second, "
        f"as in 20s:15s:60 or 2m:30s:100. A duration is a number with a unit ({', '.join(SECONDS)}), "
        "and a spike lasts more than 0 s."
    )
