"""Alerts by anything that Apprise knows: mail, Slack, Telegram, PagerDuty, AWS SNS, and many more.

Source: https://appriseit.com/services/ for the URLs.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from heeler.config.values import Duration, Secret
from heeler.errors import UsageError
from heeler.notify.http import checked_address
from heeler.notify.notice import TRIGGERED, Notice, as_text
from heeler.notify.settings import Notifier, NotifierSettings, NotTold

if TYPE_CHECKING:
    from apprise import Apprise


class AppriseSettings(NotifierSettings):
    """Tells people by way of Apprise. Needs `pip install 'heeler[notify]'`."""

    kind: Literal["apprise"]
    """A service that Apprise knows."""

    url: Secret = Field(examples=["${ALERT_URL}"])
    """The Apprise URL of the service, such as mailtos://user:password@example.com; it holds passwords, so it stands in
    the environment or a file."""

    every: Duration = 60.0
    """The shortest time between two messages; what comes meanwhile is told together in the next one."""

    allow_private: bool = False
    """Whether the URL may name this machine or a private network, such as your own mail server."""

    def open(self) -> Notifier:
        """See `NotifierSettings.open`."""
        return AppriseNotifier(self)


class AppriseNotifier:
    """Tells; see `heeler.notify.settings.Notifier`."""

    def __init__(self, settings: AppriseSettings) -> None:
        try:
            import apprise  # noqa: PLC0415 - an extra, which not everybody has
        except ImportError as error:
            raise UsageError("The kind apprise needs an extra: pip install 'heeler[notify]'.") from error
        self._settings = settings
        self._apprise: Apprise = apprise.Apprise()
        self._kinds = apprise.NotifyType
        if not self._apprise.add(settings.url.get_secret_value()):
            raise UsageError("Apprise knows no service with such a URL; https://appriseit.com/services/ lists them.")

    def tell(self, notices: Sequence[Notice]) -> None:
        """Send one message for all."""
        for service in self._apprise:
            host = getattr(service, "host", None)
            smtp = getattr(service, "smtp_host", None)
            for name in {one for one in (host, smtp) if (isinstance(one, str) and "." in one) or one == "localhost"}:
                checked_address(str(name), 0, allow_private=self._settings.allow_private)
        title, body = as_text(notices)
        goes_on = any(one.state == TRIGGERED for one in notices)
        sent = self._apprise.notify(
            body, title, self._kinds.WARNING if goes_on else self._kinds.SUCCESS, body_format="text"
        )
        if not sent:
            raise NotTold("Apprise could not send the message; the address, the password or the network is not right.")
