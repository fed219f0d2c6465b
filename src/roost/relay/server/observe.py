"""What an operator may see: health and metrics, aggregate numbers of the whole relay that reveal nobody.

No mailbox, client, address or time of anybody's act appears, and no label that could tell one from another
(docs/operating-a-relay.md).
Metrics are off unless the operator names an address for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from roost.relay.server.forwarder import Forwarder
from roost.relay.server.link import Server

if TYPE_CHECKING:
    from roost.relay.onion.node import OnionNode
    from roost.relay.onion.part import OnionPart

_REQUEST_S = 5.0
_MAX_HEAD = 4_096

CarrierLinks = Callable[[], dict[str, int]]
"""How many links stand over each carrier; nothing for a relay without carriers."""


def health(server: Server) -> bytes:
    return b'{"status":"draining"}' if server.draining else b'{"status":"ok"}'


def metrics(server: Server, forwarder: Forwarder, carrier_links: dict[str, int], onion: OnionPart | None = None) -> str:
    """Prometheus' text format, version 0.0.4."""
    service = server.service
    desk = service.desk
    lines = [
        *_metric("roost_connections", "gauge", "Open links.", {"": len(server.links)}),
        *_metric("roost_connections_total", "counter", "Links since the start.", {"": server.accepted}),
        *_metric("roost_subscriptions", "gauge", "Open subscriptions.", {"": len(service.deliveries.subscriptions)}),
        *_metric("roost_mailboxes", "gauge", "Mailboxes.", {"": desk.mailboxes}),
        *_metric("roost_stored_bytes", "gauge", "What counts against the quota.", {"": desk.ledger.used}),
        *_metric("roost_quota_bytes", "gauge", "The quota.", {"": desk.limits.total_bytes}),
        *_metric("roost_backlog_bytes", "gauge", "Waiting to be committed.", {"": service.storage.backlog}),
        *_metric("roost_deliveries_total", "counter", "Envelopes delivered.", {"": service.deliveries.delivered}),
        *_metric("roost_forwards_total", "counter", "Packets forwarded.", {"": forwarder.forwarded}),
        *_metric("roost_malformed_total", "counter", "Frames that were not understood.", {"": server.malformed}),
        *_metric("roost_received_bytes_total", "counter", "Received inside TLS.", {"": server.bytes_in}),
        *_metric("roost_sent_bytes_total", "counter", "Sent inside TLS.", {"": server.bytes_out}),
        *_metric("roost_requests_total", "counter", "Requests by kind.", _labelled("kind", _requests(server))),
        *_metric("roost_refusals_total", "counter", "Refusals by code.", _labelled("code", service.refusals)),
    ]
    if carrier_links:
        lines += _metric("roost_carrier_links", "gauge", "Links over carriers.", _labelled("carrier", carrier_links))
    if onion is not None:
        lines += _directory(onion)
        if onion.node is not None:
            lines += _onion(onion.node)
    return "\n".join(lines) + "\n"


def _directory(onion: OnionPart) -> list[str]:
    held = onion.directory
    if held is None or held.consensus is None:
        return []
    consensus, document = held.consensus, held.document
    began = consensus.period * document.period_s
    return [
        *_metric("roost_directory_period_start_seconds", "gauge", "When the newest consensus begins.", {"": began}),
        *_metric("roost_directory_signatures", "gauge", "By so many authorities.", {"": held.signatures}),
        *_metric("roost_directory_threshold", "gauge", "So many must sign.", {"": document.threshold}),
        *_metric("roost_directory_nodes", "gauge", "Nodes that it lists.", {"": len(consensus.nodes)}),
    ]


def _onion(node: OnionNode) -> list[str]:
    return [
        *_metric("roost_onion_packets_total", "counter", "Packets by their end.", _labelled("end", node.packets)),
        *_metric(
            "roost_onion_dropped_total", "counter", "Packets that ended.", _labelled("reason", node.dropped_packets)
        ),
        *_metric("roost_onion_waiting", "gauge", "Packets to be opened.", {"": node.mixing.waiting}),
        *_metric("roost_onion_delayed", "gauge", "Packets that are held back.", {"": node.mixing.delayed}),
        *_metric("roost_onion_outgoing", "gauge", "Packets for other nodes.", {"": node.peers.waiting}),
        *_metric("roost_onion_links", "gauge", "Links to other nodes.", {"": node.peers.links}),
        *_metric("roost_onion_sessions", "gauge", "Sessions.", {"": len(node.sessions)}),
        *_metric("roost_onion_clients", "gauge", "Links of clients.", {"": len(node.clients)}),
        *_metric("roost_onion_work_bits", "gauge", "What a client's token costs.", {"": node.admission.bits}),
    ]


def _metric(name: str, kind: str, text: str, values: dict[str, int]) -> list[str]:
    head = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    return head + [f"{name}{labels} {value}" for labels, value in values.items()]


def _requests(server: Server) -> dict[str, int]:
    counts = server.service.requests
    return {**counts, "Put": counts["Put"] + server.express.puts}


def _labelled(label: str, counts: dict[str, int]) -> dict[str, int]:
    return {f'{{{label}="{name}"}}': count for name, count in sorted(counts.items())}


async def serve_metrics(
    listener: socket.socket,
    server: Server,
    forwarder: Forwarder,
    carrier_links: CarrierLinks,
    onion: OnionPart | None = None,
) -> asyncio.Server:
    """Plain HTTP for a Prometheus on the same machine or network. The caller closes it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                found = head.startswith((b"GET /metrics ", b"GET / "))
                body = metrics(server, forwarder, carrier_links(), onion).encode() if found else b"not found\n"
                status = b"200 OK" if found else b"404 Not Found"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Type: text/plain; version=0.0.4\r\n")
                writer.write(b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
                await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, sock=listener, limit=_MAX_HEAD)
