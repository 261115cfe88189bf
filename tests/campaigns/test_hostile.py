"""The short form of `campaigns/hostile.py`."""

import asyncio

import pytest

from hostile import Finding, Scale, attacked, attacks

SHORT = Scale(seed=1, frames=150, bombs=4, slow=40, seconds=1)


@pytest.mark.parametrize("name", list(attacks()))
def test_no_attack_breaks_a_source_or_keeps_an_honest_sender_waiting(name: str) -> None:
    finding = asyncio.run(attacked(name, SHORT))

    assert finding.faults == []
    assert finding.sent > 0


def test_a_finding_tells_a_slow_answer() -> None:
    finding = Finding("x", seconds=[0.1] * 98 + [2.0, 2.0])
    finding.check()
    assert finding.faults == ["an honest sender waited 2.00 s"]
