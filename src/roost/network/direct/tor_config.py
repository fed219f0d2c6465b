"""What a person can set about Tor, and the configuration that the machine's `tor` is started with."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from roost.errors import CallerError, Unreachable

HELP: Final = "docs/carriers.md says what to do"

# Programs that speak a pluggable transport, for bridges that need one; the first that is installed is taken.
_TRANSPORT: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_PROGRAMS: Final = {
    "obfs4": ("lyrebird", "obfs4proxy"),
    "meek_lite": ("lyrebird", "obfs4proxy"),
    "webtunnel": ("lyrebird", "webtunnel-client"),
    "snowflake": ("snowflake-client",),
}


@dataclass(frozen=True)
class Pace:
    """How quickly the onion service follows who may find it. Seconds."""

    settle_s: float = 0.5  # changes that come together are made together
    gap_s: float = 30.0  # between two changes, when there is somebody new
    removal_s: float = 600.0  # ... and when there is nobody new


@dataclass(frozen=True)
class TorConfig:
    """How this device reaches Tor. Raises CallerError when a line would be more than one.

    With `control` an existing tor is used ("host:port" or a Unix socket's path), and its own configuration says how it
    reaches the network; otherwise one is started, whose files are in `data`.
    """

    data: Path
    binary: str = "tor"
    control: str | None = None
    password: str = field(default="", repr=False)  # of the control port, when it wants one
    bridges: tuple[str, ...] = ()  # as https://bridges.torproject.org gives them
    transport_plugins: tuple[str, ...] = ()  # "obfs4 exec /usr/bin/obfs4proxy"; found by themselves where they can be
    extra: tuple[str, ...] = ()  # further lines of tor's configuration
    dial_s: float = 25.0  # tor itself looks for a device that is gone for two minutes
    pace: Pace = Pace()

    def __post_init__(self) -> None:
        lines = (*self.bridges, *self.transport_plugins, *self.extra, self.password, self.binary, str(self.data))
        if any(not line.isprintable() for line in lines):
            raise CallerError("A setting of Tor has more than one line.", code="bad_tor_setting")

    @property
    def port_file(self) -> Path:
        """Where tor writes at which port it is controlled."""
        return self.data / "control-port"

    @property
    def cookie_file(self) -> Path:
        """What proves to tor that its controller may read this folder."""
        return self.data / "control-cookie"

    def torrc(self, owner_pid: int) -> str:
        """The configuration of a tor that lives as long as the process `owner_pid`.

        Raises Unreachable when the bridges need a program that is not there.
        """
        lines = [
            f"DataDirectory {_quoted(self.data)}",
            "SocksPort 127.0.0.1:auto ExtendedErrors OnionTrafficOnly",
            "ControlPort 127.0.0.1:auto",
            f"ControlPortWriteToFile {_quoted(self.port_file)}",
            "CookieAuthentication 1",
            f"CookieAuthFile {_quoted(self.cookie_file)}",
            f"__OwningControllerProcess {owner_pid}",
            "ClientOnly 1",
            "AvoidDiskWrites 1",
            "DormantCanceledByStartup 1",
            "Log warn stdout",
        ]
        bridges = [line.removeprefix("Bridge ").strip() for line in self.bridges]
        if bridges:
            lines += ["UseBridges 1", *(f"Bridge {line}" for line in bridges)]
            lines += [f"ClientTransportPlugin {line}" for line in (*self.transport_plugins, *self._found(bridges))]
        return "".join(f"{line}\n" for line in (*lines, *self.extra))

    def _found(self, bridges: list[str]) -> list[str]:
        """Lines for the transports that the bridges need and `transport_plugins` does not name."""
        needed = {line.split()[0] for line in bridges if line} - {
            name for line in self.transport_plugins for name in line.split()[0].split(",")
        }
        found = []
        for transport in sorted(name for name in needed if _TRANSPORT.fullmatch(name)):
            programs = _PROGRAMS.get(transport, ())
            path = next(filter(None, map(shutil.which, programs)), None)
            if path is None:
                raise Unreachable(
                    f"Tor's bridges need a program for {transport}, which is not installed.",
                    hint=f"Install {programs[-1]}, or use other bridges." if programs else f"Configure it: {HELP}.",
                )
            found.append(f"{transport} exec {path}")
        return found


def _quoted(path: Path) -> str:
    """As tor's configuration writes a text that may hold anything."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
