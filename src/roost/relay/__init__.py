"""The relay: a server that keeps mailboxes for people and cannot read them (DESIGN section 6)."""

from roost.relay.config import BadConfig, RelayConfig, load_config
from roost.relay.networks import add_authority, init_network
from roost.relay.onion.founding import Founding, Terms
from roost.relay.server.run import Ready, run_relay

__all__ = [
    "BadConfig",
    "Founding",
    "Ready",
    "RelayConfig",
    "Terms",
    "add_authority",
    "init_network",
    "load_config",
    "run_relay",
]
