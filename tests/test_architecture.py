"""The house as it was drawn: imports point downward, time comes from the clock, files and functions stay small."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
PACKAGE = "heeler"

FLOORS = (
    ("__main__",),
    ("cli",),
    ("views",),
    ("daemon",),
    ("ingest",),
    ("pipeline",),
    ("archive",),
    ("rules",),
    ("notify",),
    ("store",),
    ("sources",),
    ("query",),
    ("formats",),
    ("generate", "model", "config", "clock", "errors", "runs", "units"),
)
"""The rooms from the top floor to the ground. A room may import itself and what is below it."""

GROUND_MAY_USE = {
    "generate": {"errors", "clock", "units"},
    "config": {"errors", "units"},
    "units": {"errors"},
}
"""The rooms of the ground floor know nothing of each other, but for these."""

LONGEST_FILE, LONGEST_FUNCTION = 400, 60
WALL_TIME = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
"""What only `heeler.clock` may ask of the standard library."""


def modules(root: Path) -> Iterator[tuple[str, ast.Module, int]]:
    """Yield ``(dotted name, tree, lines)`` of each module below ``root``."""
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        text = file.read_text(encoding="utf-8")
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(text), len(text.splitlines())


def room(module: str) -> str:
    """Return the room of a module: ``formats`` of ``heeler.formats.lines``, the empty string of the package itself."""
    return module.partition(".")[2].partition(".")[0]


def imported(tree: ast.Module, module: str) -> Iterator[str]:
    """Yield the modules of this package that are imported, at the top or within a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield f"{PACKAGE}.relative import in {module}"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong_imports(root: Path) -> list[str]:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    found = []
    for module, tree, _ in modules(root):
        here = room(module)
        if here and here not in floor:
            found.append(f"{module} is in no known room")
            continue
        for target in imported(tree, module):
            there = room(target)
            if there in {here, "__version__"}:
                continue
            is_below = floor.get(there, -1) > floor.get(here, -1)
            if not is_below and there not in GROUND_MAY_USE.get(here, ()):
                found.append(f"{module} imports {target}")
    return found


def wall_time(root: Path) -> list[str]:
    found = []
    for module, tree, _ in modules(root):
        if module == f"{PACKAGE}.clock":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
                if node.attr in WALL_TIME.get(owner, ()):
                    found.append(f"{module}:{node.lineno} {owner}.{node.attr}")
            elif isinstance(node, ast.ImportFrom) and node.module == "time":
                found.append(f"{module}:{node.lineno} from time import")
    return found


def too_long(root: Path) -> list[str]:
    found = []
    for module, tree, lines in modules(root):
        if lines > LONGEST_FILE:
            found.append(f"{module} has {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    found.append(f"{module}.{node.name} has {length} lines")
    return found


def test_imports_point_downward() -> None:
    assert wrong_imports(SOURCE) == []


def test_nobody_but_the_clock_asks_what_time_it_is() -> None:
    assert wall_time(SOURCE) == []


def test_files_and_functions_can_be_read_at_once() -> None:
    assert too_long(SOURCE) == []


def test_the_checks_look_at_the_whole_package() -> None:
    names = [name for name, *_ in modules(SOURCE)]
    assert {f"{PACKAGE}.clock", f"{PACKAGE}.formats.template", f"{PACKAGE}.views.traffic"} <= set(names)


# --- the checks can fail ---


def tree_of(root: Path, module: str, text: str) -> Path:
    file = root / PACKAGE / (module.replace(".", "/") + ".py")
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("module", "text", "expected"),
    [
        ("formats.lines", "from heeler.views.traffic import Traffic", ["imports heeler.views.traffic.Traffic"]),
        ("formats.lines", "from heeler import rules", ["imports heeler.rules"]),
        ("formats.lines", "import heeler.rules.alert", ["imports heeler.rules.alert"]),
        ("formats.lines", "def late() -> None:\n    import heeler.cli", ["imports heeler.cli"]),
        ("views.traffic", "from heeler.cli import main", ["imports heeler.cli.main"]),
        ("store.lake", "from heeler.rules import window", ["imports heeler.rules.window"]),
        ("clock", "from heeler.errors import Exit", ["imports heeler.errors.Exit"]),
        ("model", "from heeler.formats import Format", ["imports heeler.formats.Format"]),
        ("formats.lines", "from . import scan", ["imports heeler.relative import in heeler.formats.lines"]),
        ("formats.lines", "from heeler.helpers import x", ["imports heeler.helpers.x"]),
        ("utils", "", ["is in no known room"]),
        ("formats.lines", "from heeler.formats.scan import Scanner\nfrom heeler.errors import Exit", []),
        ("formats.lines", "import pyarrow.compute as pc", []),
        ("cli.watch", "from heeler import __version__\nfrom heeler.views import watch", []),
        ("generate.lines", "from heeler.clock import Clock", []),
    ],
)
def test_a_wrong_import_is_found(module: str, text: str, expected: list[str], tmp_path: Path) -> None:
    assert wrong_imports(tree_of(tmp_path, module, text)) == [f"heeler.{module} {line}" for line in expected]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("import time\ntime.time()", 1),
        ("import time\ntime.sleep(1)", 1),
        ("import time\nnow = time.monotonic", 1),
        ("from time import sleep", 1),
        ("from datetime import datetime\ndatetime.now()", 1),
        ("import datetime\ndatetime.datetime.now()", 1),
        ("import datetime\ndatetime.date.today()", 1),
        ("from datetime import datetime\ndatetime.fromtimestamp(0)", 0),
        ("import asyncio\nasyncio.sleep(0)", 0),
        ("self.clock.monotonic()", 0),
    ],
)
def test_asking_what_time_it_is_is_found(text: str, count: int, tmp_path: Path) -> None:
    assert len(wall_time(tree_of(tmp_path, "formats.lines", text))) == count


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n" * 400, []),
        ("x = 1\n" * 401, ["heeler.views.big has 401 lines"]),
        ("def f():\n" + "    x = 1\n" * 59, []),
        ("def f():\n" + "    x = 1\n" * 60, ["heeler.views.big.f has 61 lines"]),
        ("class A:\n    async def f(self):\n" + "        x = 1\n" * 60, ["heeler.views.big.f has 61 lines"]),
    ],
)
def test_what_is_too_long_is_found(text: str, expected: list[str], tmp_path: Path) -> None:
    assert too_long(tree_of(tmp_path, "views.big", text)) == expected
