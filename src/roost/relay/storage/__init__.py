"""Where a relay keeps what it stores: one interface, the SQLite engine, and a memory engine for tests.

Everything is imported on first use: the writer's process (relay.storage.__main__) needs the SQLite engine alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roost.relay.storage.engine import Engine, Reader, StorageBroken, StorageFull
    from roost.relay.storage.memory import MemoryEngine
    from roost.relay.storage.process import ProcessStorage
    from roost.relay.storage.sqlite import SqliteEngine
    from roost.relay.storage.worker import Storage, ThreadedStorage

__all__ = [
    "Engine",
    "MemoryEngine",
    "ProcessStorage",
    "Reader",
    "SqliteEngine",
    "Storage",
    "StorageBroken",
    "StorageFull",
    "ThreadedStorage",
]

_MODULES = {
    "engine": ("Engine", "Reader", "StorageBroken", "StorageFull"),
    "memory": ("MemoryEngine",),
    "process": ("ProcessStorage",),
    "sqlite": ("SqliteEngine",),
    "worker": ("Storage", "ThreadedStorage"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
