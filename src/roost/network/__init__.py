"""How requests reach a relay: carriers, secure links and routes (docs/protocol/links.md)."""

from roost.network.dial import connect_relay, link_over
from roost.network.errors import NotARelay, RelayKeyChanged, RelayTooNew
from roost.network.identity import ShownCertificate, prove, read_info
from roost.network.link import Link
from roost.network.link_core import LinkTiming

__all__ = [
    "Link",
    "LinkTiming",
    "NotARelay",
    "RelayKeyChanged",
    "RelayTooNew",
    "ShownCertificate",
    "connect_relay",
    "link_over",
    "prove",
    "read_info",
]
