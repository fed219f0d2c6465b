"""How well tor is connected to its network, as its events say. No I/O."""

from __future__ import annotations

import re
from typing import Final

from roost.errors import Unreachable
from roost.network.direct.tor_config import HELP

EVENTS: Final = "STATUS_CLIENT NETWORK_LIVENESS HS_DESC"

_CANNOT: Final = f"Check the network connection. Where Tor is blocked, use a bridge; {HELP}."


class TorStatus:
    """Fed with the texts of tor's events; `trouble` says what is in the way."""

    def __init__(self) -> None:
        self.progress = 0
        self._problem = ""  # what tor says holds it up at this step
        self._circuits = True
        self._live = True

    def event(self, text: str) -> None:
        """One event, or what GETINFO status/bootstrap-phase says, which looks like one."""
        words = text.split()
        if "BOOTSTRAP" in words[:3]:
            self._bootstrap(text)
        elif words[:1] == ["NETWORK_LIVENESS"]:
            self._live = words[1:2] != ["DOWN"]
        elif "CIRCUIT_ESTABLISHED" in words[:3]:
            self._circuits = self._live = True
        elif "CIRCUIT_NOT_ESTABLISHED" in words[:3]:
            self._circuits = False

    def held_up(self) -> None:
        """Nothing has happened for a long time."""
        self._problem = self._problem or "HELD_UP"

    def trouble(self) -> Unreachable | None:
        """None when streams can be opened."""
        if self._problem == "CLOCK_SKEW":
            return Unreachable("Tor does not start because this machine's clock is wrong.", hint="Set the clock.")
        if self.progress < 100 and self._problem:
            return Unreachable(f"Tor cannot reach its network ({self.progress} %).", hint=_CANNOT)
        if self.progress < 100:
            return Unreachable(f"Tor is starting ({self.progress} %).", hint="This takes up to a minute.")
        if not (self._live and self._circuits):
            return Unreachable("Tor has lost its network.", hint=_CANNOT)
        return None

    def _bootstrap(self, text: str) -> None:
        progress = re.search(r"PROGRESS=(\d+)", text)
        reason = re.search(r"REASON=(\w+)", text)
        recommended = "RECOMMENDATION=warn" in text
        if progress:
            if int(progress[1]) != self.progress:
                self._problem = ""
            self.progress = int(progress[1])
        if reason and recommended:
            self._problem = reason[1]
