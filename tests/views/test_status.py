"""How a process fares, as text."""

from dataclasses import replace

from heeler.daemon.status import SourceStatus, Status
from heeler.views.status import shown

SOURCE = SourceStatus(
    "app",
    "file",
    alive=True,
    doing="",
    lag_bytes=None,
    size_bytes=12_345_678,
    lines=1234,
    bytes=999,
    lines_per_second=0.5,
    unparsed=0,
    events=0,
    restarts=0,
    last_line=None,
    last_error="",
    redacted={},
    counters={},
)
STATUS = Status(7, "1.0", 90061.0, "lake:/x", 1234, 5_000, 0, 180_000_000, [SOURCE], [], [])


def test_the_process_comes_first_and_a_line_for_each_source_follows() -> None:
    assert shown(STATUS).splitlines() == [
        "process 7: Heeler 1.0, up 1 d 1 h, lake:/x, 1,234 lines, 5.0 kB, 180.0 MB of memory",
        "",
        "source  kind  alive  lines  lines/s  bytes  lag    files  unparsed  restarts  last line",
        "app     file  yes    1,234      0.5  999 B    -  12.3 MB         0         0          -",
    ]


def test_what_a_source_says_stands_below_it_and_cannot_act_on_a_terminal() -> None:
    one = replace(
        SOURCE,
        alive=False,
        doing="waiting\x1b[2J",
        last_error="no\nsuch \u202efile",
        redacted={"card": 2},
        counters={"refused": 1000},
    )
    assert shown(replace(STATUS, sources=[one])).splitlines()[4:] == [
        "  waiting\\x1b[2J",
        "  refused 1,000, redacted card 2",
        "  last error: no\\x0asuch \\u202efile",
    ]


def test_without_sources_it_says_how_to_name_one() -> None:
    assert shown(replace(STATUS, uptime_seconds=59.9, sources=[])).splitlines() == [
        "process 7: Heeler 1.0, up 59 s, lake:/x, 1,234 lines, 5.0 kB, 180.0 MB of memory",
        "no sources; [sources.NAME] in the configuration names one",
    ]


def test_what_is_sent_is_what_is_read() -> None:
    assert Status.read(STATUS.as_json() | {"blobs": []}) == STATUS
