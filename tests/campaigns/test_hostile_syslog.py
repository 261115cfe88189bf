"""The short form of the campaign of hostile senders of syslog."""

import asyncio

import hostile_syslog


def test_hostile_senders_do_no_harm_to_an_honest_one() -> None:
    result = asyncio.run(hostile_syslog.run(frames=1500, connections=100, seed=7, honest=20))

    assert result.faults == []
    assert result.frames >= 1500
    assert result.honest >= 20
