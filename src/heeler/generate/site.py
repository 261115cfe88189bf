"""What is asked for and how the site answers: the routes of the vocabulary, spread out into columns to draw from."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, product

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heeler.generate.visitors import pick, zipf
from heeler.generate.words import (
    ADJECTIVES,
    NOUNS,
    OTHER_SITES,
    QUERIES,
    ROUTES,
    SITE,
    STATUS_BYTES,
)

NUMBERS_PER_PATH = 120
TEXTS_PER_POOL = 2000
"""How many different query strings there are, and how many pages of the site appear as a referer."""

LINKING = ("GET /pages/", "GET /products/", "GET /search?", "GET /account")
"""The pages from which visitors go on to others."""

SLUGS = tuple(f"{adjective}-{noun}" for adjective, noun in product(ADJECTIVES, NOUNS))


@dataclass(frozen=True, slots=True)
class Answers:
    """Requests and what came of them, as the pieces of text of their lines."""

    request: pl.Series
    result: pl.Series
    referer: pl.Series


class Site:
    """Every path of the site, each with its popularity and its usual size."""

    def __init__(self, random: np.random.Generator) -> None:
        requests, popularity, route_of = [], [], []
        for number, route in enumerate(ROUTES):
            paths = [filled for path in route.paths for filled in _fill(path, random)]
            random.shuffle(paths)
            shares = zipf(len(paths))
            requests += [f"{route.method} {path}" for path in paths]
            popularity.append(route.weight * shares / shares.sum())
            route_of += [number] * len(paths)
        self._request = pl.Series(requests)
        self._popularity = np.concatenate(popularity)
        self._route = np.array(route_of)
        # A path keeps its size: files do not change, and a page has about the same length each time.
        median = np.array([route.median_bytes for route in ROUTES])[self._route]
        self._bytes = median * random.lognormal(0, 0.8, len(median))

        self._spread = np.array([route.spread for route in ROUTES])
        self._queries = np.array([route.queries for route in ROUTES])
        self._statuses = np.array(sorted({status for route in ROUTES for status in route.statuses}))
        self._status_until = _until([[route.statuses.get(s, 0) for s in self._statuses.tolist()] for route in ROUTES])
        self._status_bytes = np.array([STATUS_BYTES.get(status, -1) for status in self._statuses.tolist()])
        self._status_text = pl.Series([f"{status} " for status in self._statuses])
        self._referer_until = _until([route.referers for route in ROUTES])

        fillings = [cycle(_fill(query, random)) for query in QUERIES]
        texts = [next(fillings[at % len(QUERIES)]) for at in range(TEXTS_PER_POOL)]
        self._query = pl.Series(["", *(f"?{text}" for text in texts)])
        pages = [request.removeprefix("GET ") for request in requests if request.startswith(LINKING)]
        own = ["/", *random.choice(pages, TEXTS_PER_POOL - 1)]
        texts = ["-", *(f"{SITE}{path}" for path in own), *OTHER_SITES]
        self._referer = pl.Series([f' "{text}" ' for text in texts])
        self._own_weights, self._other_weights = zipf(len(own)), zipf(len(OTHER_SITES))

    def draw(self, random: np.random.Generator, is_robot: NDArray[np.bool_]) -> Answers:
        """Draw the next requests; robots follow no links that they would tell us of."""
        count = len(is_robot)
        path = pick(random, self._popularity, count)
        route = self._route[path]
        has_query = random.random(count) < self._queries[route]
        query = np.where(has_query, 1 + pick(random, zipf(TEXTS_PER_POOL, 0.5), count), 0)
        status = _choose(random, self._status_until[route])

        own = self._status_bytes[status]
        usual = np.where(own >= 0, own, self._bytes[path])
        sent = (usual * np.exp(random.standard_normal(count) * self._spread[route])).astype(np.int64)
        sizes = pl.Series(sent).cast(pl.String).set(pl.Series(sent == 0), "-")

        kind = np.where(is_robot, 0, _choose(random, self._referer_until[route]))
        site = 1 + pick(random, self._own_weights, count)
        elsewhere = 1 + TEXTS_PER_POOL + pick(random, self._other_weights, count)
        referer = np.choose(kind, [0, site, elsewhere])
        return Answers(
            pl.select(pl.concat_str(self._request[path], self._query[query])).to_series(),
            pl.select(pl.concat_str(self._status_text[status], sizes)).to_series(),
            self._referer[referer],
        )


def _fill(text: str, random: np.random.Generator) -> list[str]:
    """Write numbers and titles where the vocabulary leaves room for them."""
    if "{slug}" in text:
        return [text.format(slug=slug, n=random.integers(2, 10)) for slug in SLUGS]
    if "{n}" in text:
        return [text.format(n=n) for n in random.integers(1, 100_000, NUMBERS_PER_PATH)]
    return [text]


def _until(weights: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Cumulated shares of each row's choices."""
    until = np.cumsum(np.array(weights, dtype=np.float64), axis=1)
    return until / until[:, -1:]


def _choose(random: np.random.Generator, until: NDArray[np.float64]) -> NDArray[np.int64]:
    """One choice of each row, by the shares of that row."""
    chosen: NDArray[np.int64] = (random.random(len(until))[:, None] >= until).sum(axis=1)
    return chosen
