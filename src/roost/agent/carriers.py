"""The carriers as this profile uses them. Each is imported only where it is on: some bring large libraries."""

from __future__ import annotations

from pathlib import Path

import msgspec

from roost.crypto import Entropy
from roost.errors import CallerError, SurroundingsError
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.network.direct.carrier import Carrier, CarrierName

FOLDER = "carriers"  # in the profile's folder: what programs that carriers use keep
SETTING = "carriers"


_MAX_LINE = 1_000


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


def reach_of(work: Work) -> Reach:
    """As the person set it."""
    row = work.get(r.Setting, SETTING)
    return msgspec.json.decode(row.value, type=Reach) if row is not None else Reach()


def check_reach(reach: Reach) -> None:
    """Raises CallerError for what cannot be set."""
    for line in (*reach.bridges, *reach.external, reach.control, reach.password, reach.adapter):
        if not line.isprintable() or len(line) > _MAX_LINE:
            raise CallerError(
                "A setting of a carrier is one line.", code="bad_setting", hint="Give each line by itself."
            )


def set_reach(work: Work, reach: Reach) -> None:
    work.put(r.Setting(SETTING, msgspec.json.encode(reach)))


def make_carrier(name: CarrierName, host: r.OwnHost, folder: Path, entropy: Entropy, reach: Reach) -> Carrier:
    """A carrier that is on, for the profile in `folder`. Raises SurroundingsError or CallerError: why it cannot be."""
    try:
        return _MAKERS[name](host, folder / FOLDER / name.value, entropy, reach)
    except ImportError as error:
        raise SurroundingsError(
            f"Roost was installed without what it needs for {_WORDS[name]}.",
            code="not_installed",
            hint=f"Install it with: pip install 'roost[{name.value}]'",
        ) from error


def _lan(_host: r.OwnHost, _folder: Path, entropy: Entropy, _reach: Reach) -> Carrier:
    from roost.network.direct.lan import LanCarrier

    return LanCarrier(entropy=entropy)


def _bluetooth(_host: r.OwnHost, _folder: Path, entropy: Entropy, reach: Reach) -> Carrier:
    from roost.network.direct.bluetooth import SYSTEM, BluetoothCarrier

    return BluetoothCarrier(reach.adapter or SYSTEM, entropy=entropy)


def _internet(_host: r.OwnHost, _folder: Path, entropy: Entropy, reach: Reach) -> Carrier:
    from roost.network.direct.internet import InternetCarrier

    return InternetCarrier(port=reach.port, external=reach.external, entropy=entropy)


def _tor(host: r.OwnHost, folder: Path, _entropy: Entropy, reach: Reach) -> Carrier:
    from roost.network.direct.tor import TorCarrier
    from roost.network.direct.tor_config import TorConfig

    config = TorConfig(folder, control=reach.control or None, password=reach.password, bridges=reach.bridges)
    return TorCarrier(config, host.onion_seed)


_MAKERS = {
    CarrierName.LAN: _lan,
    CarrierName.BLUETOOTH: _bluetooth,
    CarrierName.INTERNET: _internet,
    CarrierName.TOR: _tor,
}
_WORDS = {
    CarrierName.LAN: "the local network",
    CarrierName.BLUETOOTH: "Bluetooth",
    CarrierName.INTERNET: "connections over the internet",
    CarrierName.TOR: "Tor",
}
