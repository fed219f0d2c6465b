"""`roost network consensus`: an onion network as its authorities agree on it, as a value that apps show."""

from __future__ import annotations

import time

from roost.agent.views import Done, Instant, View, instant


class NetworkNode(View, frozen=True, kw_only=True):
    """`live`: the share of the authorities' attempts that reached it, 0 to 1. `serves`: mailboxes may lie on it; a node
    carries packets from its first period on, and mailboxes from the second."""

    node: str
    host: str
    operator: str
    live: float
    serves: bool
    since: Instant


class NetworkReport(Done, frozen=True, kw_only=True):
    """The newest consensus. `age_s`: how long its period has begun; `signed`: by how many authorities."""

    network: str
    name: str
    period: int
    period_s: int
    age_s: int
    signed: int
    threshold: int
    replicas: int
    quorum: int
    began: Instant
    authorities: tuple[str, ...]
    nodes: tuple[NetworkNode, ...]


async def check_network_link(link: str) -> NetworkReport:
    """Fetch and check the directory of the network behind `link`. Raises what stopped it."""
    from roost.errors import CallerError
    from roost.network.onion.directory_client import DirectoryClient
    from roost.wire.addresses import OnionHost
    from roost.wire.links import parse_relay_link

    host = parse_relay_link(link).address
    if not isinstance(host, OnionHost):
        raise CallerError("This is not an onion network's link.", hint="One begins with roost-network:")
    client = DirectoryClient(host)
    consensus = await client.renew()
    held, now = client.held, time.time()
    assert held is not None
    document = held.document

    def start(period: int) -> Instant:
        return instant(period * document.period_s * 1_000)

    return NetworkReport(
        network=document.id.hex(),
        name=document.name,
        period=consensus.period,
        period_s=document.period_s,
        age_s=max(0, int(now - consensus.period * document.period_s)),
        signed=held.signatures,
        threshold=document.threshold,
        replicas=document.replicas,
        quorum=document.quorum,
        began=start(consensus.period),
        authorities=tuple(authority.address.endpoint for authority in document.authorities),
        nodes=tuple(
            NetworkNode(
                node=node.key.hex(),
                host=node.address.endpoint,
                operator=node.operator,
                live=node.live / 1_000,
                serves=bool(node.salt),
                since=start(node.since),
            )
            for node in consensus.nodes
        ),
    )
