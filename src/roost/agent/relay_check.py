"""`roost relay check`: the operator's self-test, as a value that apps show. The test itself is network.check's."""

from __future__ import annotations

import msgspec

from roost.agent.views import Done
from roost.errors import CallerError


class RelayCheck(Done, frozen=True, kw_only=True):
    """A relay that passed. `steps_ms`: how long connect, create, put, deliver, trim, delete and packet took."""

    host: str
    reachable: bool
    key_right: bool
    carrier: str  # raw or websocket; of a relay at home, the carrier's name
    open: bool  # anyone may create mailboxes
    software: str
    steps_ms: dict[str, float] = msgspec.field(default_factory=dict)


async def check_relay_link(link: str) -> RelayCheck:
    """Test the relay behind `link` with a mailbox of one's own. Raises what stopped the test."""
    from roost.agent.networks import relay_name
    from roost.network import SYSTEM_ENTROPY, check_relay
    from roost.wire.addresses import OnionHost
    from roost.wire.links import parse_relay_link

    relay = parse_relay_link(link)
    if isinstance(relay.address, OnionHost):
        raise CallerError(
            "This is an onion network's link, not a relay's.",
            code="not_a_relay",
            hint="See what its authorities agree on: roost network consensus LINK",
        )
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
