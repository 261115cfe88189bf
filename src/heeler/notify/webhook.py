"""Alerts as JSON to a URL, signed."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Literal

import orjson
from pydantic import Field, field_validator

from heeler.config.values import Secret
from heeler.notify.http import post, wrong_with
from heeler.notify.notice import Notice
from heeler.notify.settings import Notifier, NotifierSettings

SIGNATURE = "X-Heeler-Signature"
IDEMPOTENCY_KEY = "Idempotency-Key"


class WebhookSettings(NotifierSettings):
    """Posts JSON to a URL: {"alerts": [...]}, each with an id by which a repeat is known."""

    kind: Literal["webhook"]
    """A URL that takes JSON."""

    url: str = Field(examples=["https://hooks.example.com/heeler"])
    """Where it is posted. Redirects are not followed."""

    secret: Secret | None = None
    """Signs the body: the header X-Heeler-Signature is sha256= and the HMAC-SHA256 of it in hex."""

    allow_private: bool = False
    """Whether the URL may lead to this machine or a private network."""

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if wrong := wrong_with(value):
            raise ValueError(wrong)
        return value

    def open(self) -> Notifier:
        """See `NotifierSettings.open`."""
        return Webhook(self)


class Webhook:
    """Posts; see `heeler.notify.settings.Notifier`."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings

    def tell(self, notices: Sequence[Notice]) -> None:
        """Post all as one request; its key is the same when exactly these are told again."""
        body = orjson.dumps({"alerts": [one.as_json() for one in notices]})
        key = hashlib.sha256("".join(one.digest for one in notices).encode()).hexdigest()
        headers = {"Content-Type": "application/json", IDEMPOTENCY_KEY: key}
        if self._settings.secret is not None:
            headers[SIGNATURE] = signature(self._settings.secret.get_secret_value(), body)
        post(self._settings.url, body, headers, allow_private=self._settings.allow_private)


def signature(secret: str, body: bytes) -> str:
    """Return how a body is signed."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
