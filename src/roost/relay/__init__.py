"""The relay: a server that keeps mailboxes for people and cannot read them (DESIGN section 6).

Everything is imported on first use: the process that writes a relay's storage needs little of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
    "config": ("BadConfig", "RelayConfig", "load_config"),
    "networks": ("add_authority", "init_network"),
    "onion.founding": ("Founding", "Terms"),
    "server.run": ("Ready", "run_relay"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
