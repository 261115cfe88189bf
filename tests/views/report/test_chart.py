"""Charts as SVG, read again as XML: the bars are as high as the counts say."""

import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heeler.views.report.chart import _DOWN, as_svg, error_chart, traffic_chart
from heeler.views.report.model import Report

Made = Callable[..., Report]
SVG = "{http://www.w3.org/2000/svg}"

some = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 50), st.integers(0, 9)), max_size=130)


def bars(drawn: str) -> dict[str, float]:
    """Return the heights of the bars by what they are called."""
    found = {}
    for rect in ET.fromstring(drawn).iter(f"{SVG}rect"):  # noqa: S314 - what was drawn here
        title = rect.find(f"{SVG}title")
        if title is not None and title.text:
            found[title.text] = float(rect.attrib["height"])
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(counts=some)
def test_each_class_of_each_bucket_is_a_bar_of_its_height(made: Made, counts: list[tuple[int, int, int]]) -> None:
    drawn = bars(traffic_chart(made([], counts)))
    named = [("2xx", 0), ("4xx", 1), ("5xx", 2)]
    expected = {
        f"{time:%Y-%m-%d %H:%M:%S} {name}: {row[at]:,}": row[at]
        for time, row in zip(made([], counts).tables["traffic"]["time"], counts, strict=True)
        for name, at in named
        if row[at]
    }

    assert drawn.keys() == expected.keys()
    if drawn:
        highest = max(sum(row) for row in counts)
        scale = [drawn[name] / count for name, count in expected.items() if count > highest / 4]
        assert max(scale, default=1) == pytest.approx(min(scale, default=1), rel=0.01)
        most = next(row for row in counts if sum(row) == highest)
        assert _DOWN / 2 - 1 <= scale[0] * sum(most) <= _DOWN + 1 if scale else True


def test_the_share_of_errors_breaks_where_there_was_nothing(made: Made) -> None:
    drawn = ET.fromstring(error_chart(made([], [(1, 1, 0), (0, 0, 0), (3, 0, 1), (4, 0, 0)])))  # noqa: S314
    path = next(drawn.iter(f"{SVG}path")).attrib["d"]

    assert re.sub(r"[\d.]+", "n", path) == "Mn nHnMn nHnLn nHn"
    shares = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]
    assert shares[0] < shares[1] < shares[2]


def test_a_period_without_requests_is_drawn_too(made: Made) -> None:
    assert bars(traffic_chart(made([], []))) == {}
    ET.fromstring(error_chart(made([], [])))  # noqa: S314 - what was drawn here


def test_a_file_of_its_own_has_the_colours_and_nothing_from_elsewhere(made: Made) -> None:
    drawn = as_svg(made([("<script>", 1)], [(5, 1, 1)], query="<script>"))
    root = ET.fromstring(drawn)  # noqa: S314 - what was drawn here

    assert next(root.iter(f"{SVG}style")).text
    assert {one.tag.removeprefix(SVG) for one in root.iter()} == {"svg", "style", "rect", "text", "line", "title"}
    assert "prefers-color-scheme: dark" in drawn
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
