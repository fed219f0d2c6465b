"""`roost relay check`: the self-test of a relay or network, as a value that apps show; network.check does the test."""

from __future__ import annotations

import msgspec

from roost.agent.views import Done


class RelayCheck(Done, frozen=True, kw_only=True):
    """A relay or onion network that passed. `steps_ms`: how long each step took: connect, create, put, deliver, trim,
    delete and packet; of a network directory, entry, create, subscribe, put, deliver, trim and delete."""

    host: str
    reachable: bool
    key_right: bool
    carrier: str  # raw or websocket; of a relay at home, the carrier's name; onion
    open: bool  # anyone may create mailboxes
    software: str  # of a network: how many nodes it has
    steps_ms: dict[str, float] = msgspec.field(default_factory=dict)


async def check_relay_link(link: str) -> RelayCheck:
    """Test the relay or network behind `link` with a mailbox of one's own. Raises what stopped the test."""
    from roost.agent.networks import relay_name
    from roost.network import SYSTEM_ENTROPY, check_relay
    from roost.wire.links import parse_relay_link

    relay = parse_relay_link(link)
    report = await check_relay(relay, entropy=SYSTEM_ENTROPY)
    if report.problem is not None:
        raise report.problem
    return RelayCheck(
        host=relay_name(relay.address),
        reachable=report.reachable,
        key_right=report.key_right,
        carrier=report.carrier,
        open=report.open,
        software=report.software,
        steps_ms={step: round(took, 2) for step, took in report.steps_ms.items()},
    )
