"""Carriers by name, for whoever uses them: a person's agent, or a relay at home.

Each is imported only where it is used: some bring large libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from roost.crypto import Entropy
from roost.errors import SurroundingsError
from roost.network.direct.carrier import Carrier, CarrierName


class Reach(msgspec.Struct, frozen=True):
    """How carriers reach what they need: Tor's bridges, or an existing Tor's control port with its password; the
    Bluetooth adapter (empty: the system's); the UDP port for the internet (0: any), and addresses at which it is known
    to be reached besides."""

    bridges: tuple[str, ...] = ()
    control: str = ""
    password: str = ""
    adapter: str = ""
    port: int = 0
    external: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the password, and without bridges, which not everybody should know."""
        return "Reach()"


@dataclass(frozen=True)
class Making:
    """What carriers are made of. `folder` keeps what their programs keep, one folder in it for each carrier;
    `onion_seed` (32 bytes) makes the key of the onion service."""

    folder: Path
    onion_seed: bytes
    entropy: Entropy
    reach: Reach

    def __repr__(self) -> str:
        return "Making()"


def make_carrier(name: CarrierName, making: Making) -> Carrier:
    """A carrier that is not started. Raises SurroundingsError or CallerError: why it cannot be."""
    make, words = _MAKERS[name]
    try:
        return make(making)
    except ImportError as error:
        raise SurroundingsError(
            f"Roost was installed without what it needs for {words}.",
            code="not_installed",
            hint=f"Install it with: pip install 'roost[{name.value}]'",
        ) from error


def _lan(making: Making) -> Carrier:
    from roost.network.direct.lan import LanCarrier

    return LanCarrier(entropy=making.entropy)


def _bluetooth(making: Making) -> Carrier:
    from roost.network.direct.bluetooth import SYSTEM, BluetoothCarrier

    return BluetoothCarrier(making.reach.adapter or SYSTEM, entropy=making.entropy)


def _internet(making: Making) -> Carrier:
    from roost.network.direct.internet import InternetCarrier

    return InternetCarrier(port=making.reach.port, external=making.reach.external, entropy=making.entropy)


def _tor(making: Making) -> Carrier:
    from roost.network.direct.tor import TorCarrier
    from roost.network.direct.tor_config import TorConfig

    reach, folder = making.reach, making.folder / CarrierName.TOR.value
    config = TorConfig(folder, control=reach.control or None, password=reach.password, bridges=reach.bridges)
    return TorCarrier(config, making.onion_seed)


_MAKERS: dict[CarrierName, tuple[Callable[[Making], Carrier], str]] = {
    CarrierName.LAN: (_lan, "the local network"),
    CarrierName.BLUETOOTH: (_bluetooth, "Bluetooth"),
    CarrierName.INTERNET: (_internet, "connections over the internet"),
    CarrierName.TOR: (_tor, "Tor"),
}
