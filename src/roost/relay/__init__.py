"""The relay: a server that keeps mailboxes for people and cannot read them (DESIGN section 6)."""

from roost.relay.config import BadConfig, RelayConfig, load_config
from roost.relay.server.run import Ready, run_relay

__all__ = ["BadConfig", "Ready", "RelayConfig", "load_config", "run_relay"]
