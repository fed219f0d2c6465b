"""The carriers as this profile uses them. Each is imported only where it is on: some bring large libraries."""

from __future__ import annotations

from pathlib import Path

from roost.crypto import Entropy
from roost.messaging.records import OwnHost
from roost.network.direct.carrier import Carrier, CarrierName


def make_carrier(name: CarrierName, host: OwnHost, folder: Path, entropy: Entropy) -> Carrier:
    """A carrier that is on, for the profile in `folder`."""
    raise NotImplementedError(name, host, folder, entropy)
