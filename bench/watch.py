"""How fast `heeler watch` reads an access log, beside lnav and GoAccess where they are installed.

    python bench/watch.py [--lines 2000000] [--runs 3] [--json]

Every tool reads the same generated file as a whole process, from its start to its end, in turn with the others. Its
own answer is compared with the number of lines first: a tool that skips lines is fast and wrong. Heeler also reads a
file of twice the length, as its memory must not grow with the log. Nothing here passes or fails; figures are printed.
"""

import argparse
import importlib.metadata
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from measured import Run, access_log, machine, run


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that reads a whole access log.

    ``count`` says of how many lines it tells, from what it printed; ``checked`` is the command for that where it is
    another than the one that is measured.
    """

    name: str
    version: str
    command: list[str]
    count: Callable[[bytes], int]
    checked: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The median of a tool's runs over one file."""

    tool: str
    version: str
    lines: int
    counted: int
    seconds: float
    lines_per_second: float
    cpu_seconds: float
    peak_mb: float


def main() -> None:
    """Measure, then print."""
    options = _options()
    heeler = shlex.split(options.heeler)
    files = [access_log(options.lines * times) for times in (1, 2)]
    tools = [tool for tool in (_heeler(heeler), _lnav(), _goaccess()) if tool]
    results = [*measure(tools, files[0], options.lines, options.runs)]
    results += measure(tools[:1], files[1], options.lines * 2, options.runs)
    if options.json:
        print(
            json.dumps({"machine": machine(), "runs": options.runs, "results": [asdict(result) for result in results]})
        )
    else:
        report(results, files[0], options.runs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lines", type=int, default=2_000_000, help="lines of the file (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="runs of every tool (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--heeler", default=f"{shlex.quote(sys.executable)} -m heeler", help="the command to measure")
    return parser.parse_args()


def _heeler(command: list[str]) -> Tool:
    def count(output: bytes) -> int:
        blocks = [json.loads(line) for line in output.splitlines()]
        return sum(block["hits"] + block["unparsed"] for block in blocks if "hits" in block and "alert" not in block)

    watch = [*command, "watch", "--replay"]
    return Tool(
        "heeler", importlib.metadata.version("heeler"), [*watch, "--plain", "FILE"], count, [*watch, "--json", "FILE"]
    )


def _lnav() -> Tool | None:
    """Malformed requests are counted too: lnav lists them with an empty status."""

    def count(output: bytes) -> int:
        return sum(int(line.split()[-1]) for line in output.splitlines()[1:])

    query = ";SELECT sc_status, count(*) FROM access_log GROUP BY sc_status"
    return Tool("lnav", _version("lnav"), ["lnav", "-n", "-c", query, "FILE"], count) if shutil.which("lnav") else None


def _goaccess() -> Tool | None:
    def count(output: bytes) -> int:
        return int(json.loads(output)["general"]["valid_requests"])

    command = ["goaccess", "FILE", "--log-format=COMBINED", "--no-progress", "-o", "json"]
    return Tool("goaccess", _version("goaccess"), command, count) if shutil.which("goaccess") else None


def _version(command: str) -> str:
    first = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return first.split()[-1].rstrip(".")


def measure(tools: list[Tool], path: Path, lines: int, runs: int) -> list[Result]:
    """Run every tool once to check its answer, then all of them in turn, so that a slow minute slows all."""
    counted = {tool.name: _count(tool, path) for tool in tools}
    taken: dict[str, list[Run]] = {tool.name: [] for tool in tools}
    for number in range(runs):
        for tool in tools:
            print(f"{tool.name}, {lines:,} lines, run {number + 1} of {runs}", file=sys.stderr)
            taken[tool.name].append(run(tool.command, path, subprocess.DEVNULL))
    results = []
    for tool in tools:
        seconds = median(run.seconds for run in taken[tool.name])
        cpu_seconds = median(run.cpu_seconds for run in taken[tool.name])
        peak_mb = median(run.peak_mb for run in taken[tool.name])
        results.append(
            Result(tool.name, tool.version, lines, counted[tool.name], seconds, lines / seconds, cpu_seconds, peak_mb)
        )
    return results


def _count(tool: Tool, path: Path) -> int:
    with tempfile.TemporaryFile() as output:
        run(tool.checked or tool.command, path, output.fileno())
        output.seek(0)
        return tool.count(output.read())


def report(results: list[Result], path: Path, runs: int) -> None:
    """Print the machine and a table; ratios are relative to Heeler on the same file."""
    print(" · ".join(f"{name} {value}" for name, value in machine().items()))
    print(f"{path.name}, {path.stat().st_size / 1e6:,.0f} MB; median of {runs} runs in turn\n")
    head = ("tool", "lines", "counted", "seconds", "lines/s", "CPU s", "peak MB", "time ratio", "peak ratio")
    print(f"{head[0]:<17}" + "".join(f"{title:>11}" for title in head[1:]))
    base = results[0]
    for result in results:
        print(
            f"{f'{result.tool} {result.version}':<17}{result.lines:>11,}{result.counted:>11,}{result.seconds:>11.2f}"
            f"{result.lines_per_second:>11,.0f}{result.cpu_seconds:>11.2f}{result.peak_mb:>11,.0f}"
            f"{result.seconds / base.seconds:>11.2f}{result.peak_mb / base.peak_mb:>11.2f}"
        )


if __name__ == "__main__":
    main()
