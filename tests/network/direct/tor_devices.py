"""Devices with a Tor carrier in the private network, and whole tors that carriers may use."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from roost.network.direct.tor import TorCarrier
from roost.network.direct.tor_config import Pace, TorConfig
from roost.network.direct.tor_control import Control
from roost.network.direct.tor_process import start_tor
from tests.network.direct.conformance import Device, device_host
from tests.tor_network import TorNetwork

# A network with nobody in it, for what needs none.
NOWHERE = ("TestingTorNetwork 1", f"DirAuthority gone orport=1 v3ident={'A' * 40} 127.0.0.1:1 {'B' * 40}")
PATIENCE_S = 60.0  # how long a test waits for what must happen; not a measurement
SOON = Pace(settle_s=0.05, gap_s=0.0, removal_s=0.0)  # changes at once


def config(folder: Path, network: TorNetwork | None, **settings: object) -> TorConfig:
    """Of a client in this network, or in one where nobody is; a device that is gone is given up soon."""
    lines = network.torrc if network else NOWHERE
    settings = {"extra": lines, "dial_s": 15.0, "pace": SOON, **settings}
    return TorConfig(folder, **settings)  # type: ignore[arg-type]


def device(who: str, settings: TorConfig) -> Device:
    carrier = TorCarrier(settings, hashlib.sha256(who.encode()).digest())
    return Device(carrier, device_host(who, carrier.onion))


@asynccontextmanager
async def on(*devices: Device, ready: bool = True) -> AsyncIterator[None]:
    """Switched on, each seeking all others, and ready; switched off afterwards, and with them their tors."""
    try:
        for one in devices:
            await one.start(*(other.host for other in devices if other is not one))
        if ready:
            async with asyncio.timeout(PATIENCE_S):
                for one in devices:
                    await one.until(lambda one=one: one.carrier.state.ready)  # type: ignore[misc]
        yield
    finally:
        for one in devices:
            await one.carrier.stop()


@asynccontextmanager
async def tor(settings: TorConfig, *extra: str) -> AsyncIterator[Control]:
    """A tor that no carrier started: its control connection, which owns it."""
    settings = replace(settings, extra=(*settings.extra, *extra))
    process = await start_tor(settings)
    try:
        control = await process.controlled(settings)
        try:
            yield control
        finally:
            await control.close()
    finally:
        await process.stop()
