"""How requests reach a relay: carriers, secure links and routes (docs/protocol/links.md, docs/protocol/routes.md)."""

from roost.network.answers import sentence
from roost.network.backoff import BackoffPolicy
from roost.network.check import CheckReport, check_relay
from roost.network.dial import Connect, connect_relay, link_over
from roost.network.entropy import SYSTEM_ENTROPY, SystemEntropy
from roost.network.errors import NotARelay, RelayKeyChanged, RelayTooNew
from roost.network.identity import ShownCertificate, prove, read_info
from roost.network.link import Link
from roost.network.link_core import LinkTiming
from roost.network.network import Network
from roost.network.subscription import Subscription

__all__ = [
    "SYSTEM_ENTROPY",
    "BackoffPolicy",
    "CheckReport",
    "Connect",
    "Link",
    "LinkTiming",
    "Network",
    "NotARelay",
    "RelayKeyChanged",
    "RelayTooNew",
    "ShownCertificate",
    "Subscription",
    "SystemEntropy",
    "check_relay",
    "connect_relay",
    "link_over",
    "prove",
    "read_info",
    "sentence",
]
