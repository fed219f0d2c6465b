"""The carriers as this profile uses them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from roost.crypto import Entropy
from roost.errors import CallerError
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.network.direct import making
from roost.network.direct.carrier import Carrier, CarrierName
from roost.network.direct.making import Making, Reach

FOLDER = "carriers"  # in the profile's folder: what programs that carriers use keep
SETTING = "carriers"
_MAX_LINE = 1_000


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
    return making.make_carrier(name, Making(folder / FOLDER, host.onion_seed, entropy, reach))
