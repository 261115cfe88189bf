"""A few curves of the campaign over rules; it runs hundreds by hand."""

from pathlib import Path

import pytest

from alerts import difference, run_curve


@pytest.mark.parametrize(("seed", "seconds"), [(4, 200), (1, 200), (2, 400)])
def test_the_incidents_in_the_lake_are_those_of_the_oracle(seed: int, seconds: int, tmp_path: Path) -> None:
    found, expected, restarts = run_curve(seed, tmp_path / "lake", seconds)
    assert difference(found, expected) == {}
    assert expected
    assert bool(restarts) == (seed % 4 != 0)


def test_a_difference_is_seen() -> None:
    incident = ("rate", "", 5, "triggered")
    assert difference([incident, incident], [incident]) == {"too much": [incident]}
    assert difference([], [incident]) == {"missing": [incident]}
