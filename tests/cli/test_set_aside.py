"""What commands say of a store that is not whole."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path


def heeler(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "heeler", *arguments], capture_output=True, text=True, check=False)


def test_every_answer_says_that_records_are_missing_where_a_segment_is_set_aside(tmp_path: Path) -> None:
    log, store = tmp_path / "a.log", f"lake:{tmp_path / 'lake'}"
    log.write_text("".join(f"line {number}\n" for number in range(3000)))
    assert heeler("ingest", str(log), "--store", store).returncode == 0
    with closing(sqlite3.connect(tmp_path / "lake" / "catalog.sqlite")) as catalog, catalog:
        catalog.execute("update segment set damage = 'Its hash differs.' where \"table\" = 'log'")

    for command in (["streams"], ["export"], ["stats"], ["sql", "select count(*) from log"]):
        done = heeler(*command, "--store", store)
        assert "3,000 records are missing from every answer" in done.stderr, command
        assert "Its hash differs." in done.stderr
