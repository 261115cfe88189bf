"""Every kind of notifier: adding one is a module and a line here."""

from collections.abc import Mapping

from heeler.notify.alertmanager import AlertmanagerSettings
from heeler.notify.apprise import AppriseSettings
from heeler.notify.command import CommandSettings
from heeler.notify.log_file import LogFileSettings
from heeler.notify.settings import NotifierSettings
from heeler.notify.webhook import WebhookSettings

NOTIFIERS: Mapping[str, type[NotifierSettings]] = {
    "log": LogFileSettings,
    "webhook": WebhookSettings,
    "alertmanager": AlertmanagerSettings,
    "apprise": AppriseSettings,
    "command": CommandSettings,
}
