"""What every scenario starts from: a file with a line that has been read, and a reader that is there or not."""

from pathlib import Path

import pytest

from stage import Stage


@pytest.fixture(params=[True, False], ids=["live", "stopped"])
def live(request: pytest.FixtureRequest) -> bool:
    """Whether things happen before the eyes of a reader, or while none runs."""
    return bool(request.param)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    return path


@pytest.fixture
def stage(log: Path) -> Stage:
    """A reader that has read the first line and was stopped."""
    stage = Stage(log)
    stage.run()
    return stage
