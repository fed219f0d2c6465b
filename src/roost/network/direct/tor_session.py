"""One life of a control connection: tor's state, this device's service, and streams to other devices' services."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
from collections.abc import Callable
from typing import Final

from roost.crypto import onion_address, onion_client
from roost.errors import Unreachable
from roost.network.direct.streams import ByteStream
from roost.network.direct.tor_config import TorConfig
from roost.network.direct.tor_control import Control, ControlRefused
from roost.network.direct.tor_service import OnionService
from roost.network.direct.tor_socks import Streams, open_onion, socks_place
from roost.network.direct.tor_status import EVENTS, TorStatus
from roost.wire.addresses import DeviceHost

OLDEST: Final = (0, 4, 6)  # which lets a controller say who may find a service
WITHDRAW_S: Final = 2.0
STUCK_S: Final = 45.0  # no step further for so long: something is in the way, even if tor does not say what

_ANNOUNCING: Final = "This device is being announced over Tor."


class TorSession:
    """`open` it, `run` it, and `withdraw` before the connection is closed."""

    def __init__(self, config: TorConfig, control: Control, service: OnionService, changed: Callable[[], None]) -> None:
        self.service = service
        self._config = config
        self._control = control
        self._changed = changed
        self._status = TorStatus()
        self._socks = ""
        self._secret = os.urandom(16).hex()  # other profiles that use the same tor never share a circuit with this one
        self._keys: dict[bytes, bytes] = {}  # onion -> the meeting whose key tor has for it
        self._stuck: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Raises Unreachable when this tor is of no use."""
        control = self._control
        if control.version and control.version < OLDEST:
            raise Unreachable("The Tor on this machine is too old.", hint="Install Tor 0.4.6 or newer.")
        control.on_event = self._event
        try:
            await control.ask(f"SETEVENTS {EVENTS}")
            self._socks = socks_place(await control.info("net/listeners/socks")) or ""
            self._event(await control.info("status/bootstrap-phase"))
        except ControlRefused as error:
            raise Unreachable("Tor refuses what a carrier needs of it.", hint="Use another Tor, or none.") from error
        if not self._socks:
            raise Unreachable("Tor has no SOCKS port.", hint="Add the line SocksPort 9050 to its configuration.")

    async def run(self) -> None:
        """Raises Unreachable when the connection is lost."""
        serving = asyncio.get_running_loop().create_task(self.service.run(), name="tor service")
        over = asyncio.ensure_future(self._control.over())
        try:
            await asyncio.wait([serving, over], return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()  # raises
            raise Unreachable("Tor has ended.", hint="Roost tries again by itself.")
        finally:
            for task in (serving, over):
                task.cancel()
            await asyncio.wait([serving, over])
            if self._stuck is not None:
                self._stuck.cancel()

    async def withdraw(self) -> None:
        """Leave nothing behind in a tor that goes on. Raises nothing."""
        with contextlib.suppress(Unreachable, TimeoutError):
            async with asyncio.timeout(WITHDRAW_S):
                await self.service.withdraw()
                if self._config.control is not None:
                    for onion in self._keys:
                        with contextlib.suppress(ControlRefused):
                            await self._control.ask(f"ONION_CLIENT_AUTH_REMOVE {onion_address(onion)}")

    @property
    def usable(self) -> bool:
        """Streams can be opened."""
        return self._status.trouble() is None

    def trouble(self) -> Unreachable | None:
        """What is in the way of being found and of dialling; None when nothing is."""
        trouble = self._status.trouble() or self.service.trouble
        if trouble is None and not self.service.announced:
            return Unreachable(_ANNOUNCING, hint="This takes up to a minute.")
        return trouble

    async def dial(self, host: DeviceHost, make: Streams) -> ByteStream:
        """A stream to the host's service. Raises Unreachable when there is none."""
        trouble = self._status.trouble()
        if trouble is not None:
            raise trouble
        address = onion_address(host.onion)
        if self._keys.get(host.onion) != host.meeting:
            key = base64.b64encode(onion_client(host.meeting, host.onion).to_bytes()).decode()
            try:
                await self._control.ask(f"ONION_CLIENT_AUTH_ADD {address} x25519:{key}")
            except ControlRefused as error:
                raise Unreachable("Tor does not take the device's key.", hint="Use another Tor, or none.") from error
            self._keys[host.onion] = host.meeting
        # Streams to one host share a circuit; nothing else does.
        isolation = (hashlib.blake2b(host.key, digest_size=16).hexdigest(), self._secret)
        return await open_onion(self._socks, address, isolation, make, timeout_s=self._config.dial_s)

    def _event(self, text: str) -> None:
        before = self._status.progress
        self._status.event(text)
        self.service.event(text)
        if self._stuck is None or self._status.progress != before:
            self._watch()
        self._changed()

    def _watch(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
        if self._status.progress < 100:
            self._stuck = asyncio.get_running_loop().call_later(STUCK_S, self._held_up)

    def _held_up(self) -> None:
        self._status.held_up()
        self._changed()
