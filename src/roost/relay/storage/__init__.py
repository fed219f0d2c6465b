"""Where a relay keeps what it stores: one interface, the SQLite engine, and a memory engine for tests."""

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
