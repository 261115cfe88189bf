"""Alerts for a Prometheus Alertmanager, by its API v2.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (POST /alerts, postableAlerts).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import orjson
from pydantic import Field, field_validator

from heeler.config.values import Duration
from heeler.notify.http import post, wrong_with
from heeler.notify.notice import TRIGGERED, Notice
from heeler.notify.settings import Notifier, NotifierSettings

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AlertmanagerSettings(NotifierSettings):
    """Posts alerts to an Alertmanager, which groups, silences and routes them."""

    kind: Literal["alertmanager"]
    """A Prometheus Alertmanager, 0.16 or newer."""

    url: str = Field(examples=["http://127.0.0.1:9093"])
    """Where it is: what stands before /api/v2."""

    repeat: Duration = 60.0
    """How often alerts that go on are told again: an Alertmanager holds one that is not for over after resolve_timeout,
    five minutes as it comes, and knows none any more after a restart."""

    labels: dict[str, str] = Field(default={}, examples=[{"team": "web"}])
    """Labels that all alerts get, for its routes."""

    allow_private: bool = True
    """Whether the URL may lead to this machine or a private network, where an Alertmanager usually is."""

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if wrong := wrong_with(value):
            raise ValueError(wrong)
        return value

    def open(self) -> Notifier:
        """See `NotifierSettings.open`."""
        return Alertmanager(self)


class Alertmanager:
    """Posts; see `heeler.notify.settings.Notifier`."""

    def __init__(self, settings: AlertmanagerSettings) -> None:
        self._settings = settings

    def tell(self, notices: Sequence[Notice]) -> None:
        """Post all as one request. Of one alert the last word counts, so a repeat changes nothing."""
        newest = {one.alert_digest: one for one in notices}
        body = orjson.dumps([self._postable(one) for one in newest.values()])
        url = f"{self._settings.url.rstrip('/')}/api/v2/alerts"
        post(url, body, {"Content-Type": "application/json"}, allow_private=self._settings.allow_private)

    def _postable(self, notice: Notice) -> Mapping[str, Any]:
        labels = {
            "alertname": notice.rule,
            "severity": notice.severity,
            **({"key": notice.key} if notice.key else {}),
            **self._settings.labels,
        }
        annotations = {
            "summary": notice.sentence(),
            "description": notice.text,
            "first_lines": "\n".join(notice.first),
            "last_lines": "\n".join(notice.last),
            "search": notice.link,
        }
        told: dict[str, Any] = {
            "labels": labels,
            "annotations": {name: text for name, text in annotations.items() if text},
            "startsAt": _rfc3339(notice.start_us),
        }
        if notice.state != TRIGGERED:
            told["endsAt"] = _rfc3339(max(notice.time_us, notice.start_us + 1))
        return told


def _rfc3339(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat()
