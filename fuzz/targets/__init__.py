"""All targets by name."""

from __future__ import annotations

from fuzz.targets import (
    crypto,
    directory,
    files,
    groups,
    logs,
    mls,
    network,
    onion_packets,
    onion_sessions,
    parcels,
    peers,
    relay,
    swarm,
    wire,
)
from fuzz.tools import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for room in (
        wire,
        crypto,
        onion_packets,
        peers,
        logs,
        groups,
        mls,
        network,
        parcels,
        relay,
        directory,
        onion_sessions,
        swarm,
        files,
    )
    for target in room.TARGETS
}
