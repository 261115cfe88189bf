"""What the benchmarks share: the file that they read, what a process took, and where it was measured."""

import importlib.metadata
import multiprocessing
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "out"
SEED = 1
RATE = 100.0
START_US = 1_767_225_600_000_000  # 2026-01-01, so that the file is the same whenever it is made
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def access_log(lines: int) -> Path:
    """Make the file of so many lines, or find the one that an earlier run made, and bring it into the page cache."""
    OUT.mkdir(exist_ok=True)
    path = OUT / f"access-{lines}-seed-{SEED}.log"
    if not path.exists():
        print(f"writing {path.name}", file=sys.stderr)
        # In a process of its own: no child's peak is seen below what its parent holds when it is started, here 23 MB.
        writer = multiprocessing.get_context("spawn").Process(target=_write, args=(path, lines))
        writer.start()
        writer.join()
        if writer.exitcode:
            raise SystemExit(f"{path} could not be written; the reason stands above.")
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass
    return path


def _write(path: Path, lines: int) -> None:
    from heeler.generate import Traffic, batches  # noqa: PLC0415 - numpy and Polars stay out of the measuring process

    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        for batch in batches(Traffic(seed=SEED, rate=RATE), START_US, lines):
            file.write(batch)
    unfinished.replace(path)


def run(command: list[str], path: Path, stdout: int) -> Run:
    """Run a command, with the path in the place of the word ``FILE``, and say what the whole process took."""
    command = [str(path) if word == "FILE" else word for word in command]
    # A fresh home: no settings of the user, and nothing remembered from the run before.
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile() as stderr:
        started = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env={**os.environ, "HOME": home}
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            stderr.seek(0)
            reason = stderr.read().decode(errors="replace").strip()
            raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}:\n{reason}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MAXRSS_UNIT / 1e6)


def machine() -> dict[str, Any]:
    """Where and with what this was measured."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "heeler": importlib.metadata.version("heeler"),
        "commit": _git("describe", "--always", "--dirty"),
    }


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return done.stdout.strip() or "unknown"
