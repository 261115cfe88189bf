"""Telling systemd how the process fares, where it asked to be told (sd_notify(3))."""

import os
import socket
from collections.abc import Mapping

from heeler.clock import Clock

MICROSECONDS = 1_000_000


class Systemd:
    """Sends states to the socket that ``environment`` names; does nothing where it names none."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        for_us = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        watchdog = environment.get("WATCHDOG_USEC", "") if for_us else ""
        self.watchdog_s = int(watchdog) / MICROSECONDS if watchdog.isdecimal() else 0.0
        """How often systemd wants to hear of the process, in seconds; 0 for never."""

    def tell(self, *states: str) -> None:
        """Send states such as ``READY=1``. That nobody hears them is no fault of ours."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as own:
            own.setblocking(False)  # noqa: FBT003 - the standard library's name for it
            try:
                own.sendto("\n".join(states).encode(), self._address)
            except OSError:
                return

    async def keep_awake(self, clock: Clock) -> None:
        """Tell for ever that the event loop turns, twice as often as asked for."""
        while self.watchdog_s:
            self.tell("WATCHDOG=1")
            await clock.sleep(self.watchdog_s / 2)
