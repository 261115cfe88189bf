"""When a report is due, and what of [report] is refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.daemon.configuration import configured
from heeler.daemon.report_settings import ReportSettings
from heeler.errors import ConfigurationError

settings = st.one_of(
    st.integers(1, 100_000).map(lambda seconds: ReportSettings.model_validate({"every": f"{seconds}s"})),
    st.sampled_from(["* * * * *", "*/7 3 * * *", "0 7 * * 1-5", "30 4 1,15 * *"]).map(
        lambda cron: ReportSettings.model_validate({"cron": cron})
    ),
)


@given(settings, st.integers(1_000_000_000_000_000, 2_000_000_000_000_000))
def test_what_is_due_before_and_after_are_each_others_neighbours(one: ReportSettings, at_us: int) -> None:
    after = one.due_after_us(at_us)

    assert at_us < after
    assert one.due_before_us(after) <= at_us
    assert one.due_after_us(one.due_before_us(after)) == after
    assert after % 1_000_000 == 0


def test_cron_is_read_in_utc() -> None:
    one = ReportSettings.model_validate({"cron": "0 7 * * 1-5"})
    friday = int(datetime(2026, 11, 27, 7, tzinfo=UTC).timestamp()) * 1_000_000
    monday = int(datetime(2026, 11, 30, 7, tzinfo=UTC).timestamp()) * 1_000_000

    assert one.due_after_us(friday) == monday
    assert one.due_before_us(monday) == friday


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("every = '0s'", "every whole number of seconds"),
        ("every = '1500ms'", "every whole number of seconds"),
        ("cron = '61 * * * *'", "is no cron expression"),
        ("cron = 'now'", "is no cron expression"),
        ("cron = '0 0 30 2 *'", "is no cron expression"),
        ("cron = '0 7 * * *'\nevery = '1h'", "leave one of the two out"),
        ("top = 0", "greater than or equal to 1"),
        ("evry = '1h'", "every"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "heeler.toml"
    file.write_text(f"[report]\n{text}\n")

    with pytest.raises(ConfigurationError) as refused:
        configured(file)

    assert sentence in str(refused.value)
    assert f"{file}:" in str(refused.value)
