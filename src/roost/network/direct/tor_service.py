"""This device's onion service on one control connection: in accord with whom it is for, changed rarely.

Tor takes the list of who may find a service only together with the service itself, and every change makes it choose new
introduction points and be announced anew. So changes are gathered: somebody new waits a little, and somebody who may
no longer find it stays listed for a while, since what protects the device is the link handshake.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Final

from roost.crypto import onion_address, onion_client, onion_public, onion_secret
from roost.errors import Unreachable
from roost.network.direct.tor_config import HELP, Pace
from roost.network.direct.tor_control import Control, ControlRefused
from roost.network.direct.tor_socks import ONION_PORT

# A descriptor holds about 350 of them, and tor drops one that is larger without a word. With more than these the
# service can be found by all who know its address; the link handshake turns away who has no meeting.
MAX_CLIENTS: Final = 320
DESCRIPTORS: Final = 2  # of this period and the next; a client asks for either


class OnionService:
    """`run` it as long as the control connection stands. `port` is the one at this machine that streams come to."""

    def __init__(self, control: Control, seed: bytes, port: int, pace: Pace, changed: Callable[[], None]) -> None:
        self.trouble: Unreachable | None = None
        self._control = control
        self._seed = seed
        self._onion = onion_public(seed)
        self._address = onion_address(self._onion)
        self._port = port
        self._pace = pace
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._wanted: frozenset[bytes] = frozenset()
        self._wanted_since = 0.0
        self._listed: frozenset[bytes] = frozenset()  # who tor was told
        self._listed_at = -math.inf
        self._found = False
        self._descriptors: set[str] = set()
        self._uploads = 0  # of both, to some directories each
        self._uploaded = 0

    @property
    def announced(self) -> bool:
        """Those for whom it is can find it, but for changes that wait; True when it is for nobody."""
        return self._found or not self._wanted

    def authorise(self, meetings: Sequence[bytes]) -> None:
        """From now on it is for the holders of these meetings, and does not exist when there are none."""
        wanted = frozenset(meetings)
        if wanted != self._wanted:
            self._wanted, self._wanted_since = wanted, self._loop.time()
            self._woken.set()

    def event(self, text: str) -> None:
        """One of tor's events: HS_DESC UPLOAD|UPLOADED address authentication directory [descriptor ...]"""
        words = text.split()
        if words[:1] != ["HS_DESC"] or words[2:3] != [self._address]:
            return
        if words[1] == "UPLOAD":
            self._descriptors.update(words[5:6])
            self._uploads += 1
        elif words[1] == "UPLOADED":
            self._uploaded += 1
        # More than half: some of each descriptor. Who asks a directory that has none goes on to the next.
        if not self._found and len(self._descriptors) >= DESCRIPTORS and self._uploaded > self._uploads / 2:
            self._found = True
            self._changed()

    async def run(self) -> None:
        """Keep it as it should be. Raises Unreachable when the control connection is lost."""
        while True:
            self._woken.clear()
            wait_s = self._due() - self._loop.time()
            if wait_s <= 0:
                await self._list(self._wanted)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if wait_s == math.inf else wait_s):
                        await self._woken.wait()

    async def withdraw(self) -> None:
        """Nobody finds it any more; streams that stand stay. Raises Unreachable when the connection is lost."""
        if self._listed:
            await self._remove()

    def _due(self) -> float:
        """When what is wanted should become what is listed."""
        if self._wanted == self._listed:
            return math.inf
        due = self._wanted_since + self._pace.settle_s
        if self._wanted and (self._listed or self.trouble):
            gap = self._pace.gap_s if self._wanted - self._listed else self._pace.removal_s
            due = max(due, self._listed_at + gap)
        return due

    async def _list(self, meetings: frozenset[bytes]) -> None:
        if self._listed:
            await self._remove()
        self._listed_at = self._loop.time()
        trouble = self.trouble
        try:
            if meetings:
                await self._control.ask(self._command(meetings))
            self._listed = meetings
            self.trouble = None
        except ControlRefused:
            self.trouble = Unreachable(
                "Tor refuses to announce this device.",
                hint=f"Use a Tor that allows ADD_ONION to its controllers; {HELP}.",
            )
        if not meetings:
            self._found = False
        if (trouble is None) != (self.trouble is None):
            self._changed()

    async def _remove(self) -> None:
        self._listed = frozenset()
        self._descriptors.clear()
        self._uploads = self._uploaded = 0
        with contextlib.suppress(ControlRefused):  # it is gone already
            await self._control.ask(f"DEL_ONION {self._address}")

    def _command(self, meetings: frozenset[bytes]) -> str:
        key = base64.b64encode(onion_secret(self._seed)).decode()
        words = [f"ADD_ONION ED25519-V3:{key}"]
        if len(meetings) <= MAX_CLIENTS:
            clients = sorted(onion_client(meeting, self._onion).public.raw for meeting in meetings)
            words.append("Flags=V3Auth")
            words += [f"ClientAuthV3={base64.b32encode(client).decode().rstrip('=')}" for client in clients]
        return " ".join([*words, f"Port={ONION_PORT},127.0.0.1:{self._port}"])
