"""The score of conformance: how many of the cases of other projects are read as they say, printed after the tests."""

from collections.abc import Callable

import pytest

SCORES = pytest.StashKey[dict[str, tuple[int, int]]]()
Score = Callable[[str, int, int], None]


@pytest.fixture
def score(request: pytest.FixtureRequest) -> Score:
    """Take note of a suite, of its cases that agree, and of all its cases."""
    scores = request.config.stash.setdefault(SCORES, {})

    def note(suite: str, agree: int, cases: int) -> None:
        scores[suite] = (agree, cases)

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    scores = config.stash.get(SCORES, {})
    if scores:
        terminalreporter.write_sep("-", "conformance of formats")
        for suite, (agree, cases) in scores.items():
            terminalreporter.write_line(f"{suite:<44}{agree:>5} of {cases:>4}  {agree / cases:7.1%}")
