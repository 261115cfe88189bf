"""What all tests share: hypothesis without chance or stop-watch, and a word on sample data if it is missing."""

import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("heeler", derandomize=True, deadline=None, max_examples=40, database=None)
settings.load_profile("heeler")

SHARED_SAMPLES = Path(__file__).parents[2] / "shared" / "data"


for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    # Whoever runs the tests in the background may have them ignore signals, and every command they start would too.
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not SHARED_SAMPLES.is_dir():
        terminalreporter.write_line("NOTE: ../shared/data is not there, so formats met only tests/data.", yellow=True)
    if not (shutil.which("logrotate") or Path("/usr/sbin/logrotate").exists()):
        terminalreporter.write_line("NOTE: there is no logrotate, so no log met it.", yellow=True)
    for tool, package in (("rsyslogd", "rsyslog"), ("syslog-ng", "syslog-ng-core"), ("logger", "bsdutils")):
        unpacked = Path(__file__).parents[1] / ".ci" / "syslog-ng" / "usr" / "sbin" / tool
        if not (shutil.which(tool) or Path("/usr/sbin", tool).exists() or unpacked.exists()):
            terminalreporter.write_line(f"NOTE: there is no {tool} ({package}), so it sent no syslog.", yellow=True)
    for tool, package in (("promtool", "prometheus"), ("prometheus-alertmanager", "prometheus-alertmanager")):
        if not shutil.which(tool):
            terminalreporter.write_line(f"NOTE: there is no {tool} ({package}), so it met nothing.", yellow=True)
