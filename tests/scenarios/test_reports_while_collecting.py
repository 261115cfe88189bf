"""Collecting in the background while traffic comes, with reports and alerts in files: start, status, stop."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

LINES = 400
PATIENCE_S = 90
REPORT = re.compile(
    r"-{68}\n {16}Report for DATE: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\n-{68}\nPATH {20}COUNT\n-{68}\n"
    r"((?:/.* \d+\n)*)\n---ERROR RATE: (\d+\.\d\d)%----\n\n"
)


def heeler(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEELER_")}
    return subprocess.run(
        [sys.executable, "-m", "heeler", *arguments],
        cwd=folder,
        env=environment | {"PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def reported(file: Path) -> tuple[list[str], Counter[str], float]:
    """Return the dates of the reports, the counts of all of them, and the errors that their rates come to."""
    text = file.read_text() if file.exists() else ""
    assert REPORT.sub("", text) == ""
    counts: Counter[str] = Counter()
    errors = 0.0
    for _, rows, rate in REPORT.findall(text):
        here = {path: int(count) for path, count in (row.rsplit(None, 1) for row in rows.splitlines())}
        counts.update(here)
        errors += float(rate) / 100 * sum(here.values())
    return [date for date, _, _ in REPORT.findall(text)], counts, errors


@pytest.mark.timeout(180)
def test_each_line_is_in_one_report_and_the_spike_in_the_log_of_alerts(tmp_path: Path) -> None:
    log, reports, alerts = tmp_path / "access.log", tmp_path / "report.txt", tmp_path / "alerts.log"
    log.touch()
    (tmp_path / "heeler.toml").write_text(
        """store = "lake:lake"
log_path = "heeler.log"
[web]
listen = "127.0.0.1:0"
[sources.access]
kind = "file"
paths = ["access.log"]
format = "combined"
[high_traffic]
threshold = "30/s"
window = "2s"
notify = ["file"]
[notify.file]
kind = "log"
path = "alerts.log"
triggered = "Monitor on alert {rate} requests/sec at time {time}"
recovered = "Monitor out of alert {rate} requests/sec at {time}"
[report]
path = "report.txt"
every = "5s"
top = 1000
"""
    )
    started = heeler(tmp_path, "start")
    assert started.returncode == 0, started.stderr
    try:
        # The stamps reach a few seconds into the future; the spike is ten times the rate.
        made = heeler(
            tmp_path, "generate", "--lines", str(LINES), "--rate", "20", "--spike", "2s:1500ms:200", "access.log"
        )
        assert made.returncode == 0, made.stderr
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            told = alerts.read_text().count("\n") if alerts.exists() else 0
            if sum(reported(reports)[1].values()) >= LINES and told >= 2:
                break
            threading.Event().wait(0.2)
        status = heeler(tmp_path, "status", "--json")
        assert json.loads(status.stdout)["lines"] == LINES
    finally:
        stopped = heeler(tmp_path, "stop")
    assert stopped.returncode == 0, stopped.stderr

    dates, counts, errors = reported(reports)
    lines = [re.findall(r'"\S+ ([^ ?]*)\S* \S+" (\d+)', line)[0] for line in log.read_text().splitlines()]
    assert counts == Counter(path for path, _ in lines)
    assert errors == pytest.approx(sum(int(status) >= 400 for _, status in lines), abs=0.1)
    assert dates == sorted(set(dates))
    whole = json.loads(heeler(tmp_path, "report", "--store", "lake:lake", "--json").stdout)
    assert whole["requests"] == LINES
    rates = [row["requests_per_s"] for row in whole["tables"]["traffic"]]
    assert max(rates) > 20
    assert [row["state"] for row in whole["tables"]["alerts"]] == ["triggered", "recovered"]
    fired, out = alerts.read_text().splitlines()
    assert re.fullmatch(r"Monitor on alert [\d.,]+ requests/sec at time \d{4}-.*", fired)
    assert re.fullmatch(r"Monitor out of alert [\d.,]+ requests/sec at \d{4}-.*", out)
    assert heeler(tmp_path, "status").returncode != 0
