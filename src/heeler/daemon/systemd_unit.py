"""The unit by which systemd runs Heeler: told when it is ready, watched, and able to do little else than it must."""

from pathlib import Path
from typing import Final

from heeler.config.finding import OF_THE_SYSTEM

_UNIT: Final = """\
# Heeler as a service. Once, as root:
#
#   useradd --system --home-dir /var/lib/heeler --groups adm heeler    # adm may read the logs of Debian and Ubuntu
#   heeler init {configuration}    # then set store = "lake:/var/lib/heeler/lake" in it, and the sources
#   heeler init --systemd /etc/systemd/system/heeler.service
#   systemctl enable --now heeler

[Unit]
Description=Heeler herds logs
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} run --config {configuration}
ExecReload=/bin/kill -HUP $MAINPID
# Secrets that the configuration names as ${{NAME}} can stand here, in a file that root alone may read.
EnvironmentFile=-/etc/heeler/environment
User=heeler

Restart=on-failure
RestartSec=5
# After a crash a lake may have to be put in order before Heeler is ready.
TimeoutStartSec=600
WatchdogSec=60
# It stops within 10 s. Commands that it runs are stopped by itself, and killed with it if it cannot.
TimeoutStopSec=20
KillMode=mixed

# Made for it, with its user as their owner: /var/lib/heeler, /run/heeler and /var/log/heeler. Nothing else is written.
StateDirectory=heeler
StateDirectoryMode=0700
RuntimeDirectory=heeler
RuntimeDirectoryMode=0700
LogsDirectory=heeler
LogsDirectoryMode=0750
UMask=0077
ProtectSystem=strict
# Not PrivateTmp: a log that is followed may stand in /tmp.
ProtectHome=read-only
PrivateDevices=yes

NoNewPrivileges=yes
# For syslog on its port 514, and for nothing more.
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
LockPersonality=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""


def unit_text(program: Path) -> str:
    """Return the unit that runs ``program``, the absolute path of `heeler`."""
    return _UNIT.format(program=_quoted(program), configuration=OF_THE_SYSTEM)


def _quoted(path: Path) -> str:
    """Return a path as systemd wants it in a command: ``%`` and ``$`` doubled, in quotes where there are blanks."""
    text = str(path).replace("%", "%%").replace("$", "$$")
    return text if text.isprintable() and not set(text) & set(" \\\"'") else f'"{text}"'
