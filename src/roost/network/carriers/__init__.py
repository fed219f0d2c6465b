"""Carriers: anything that moves frames between two hosts. They know nothing of what the frames mean."""

from roost.network.carriers.base import Connection, Receiver
from roost.network.carriers.memory import MemoryConnection, memory_pair
from roost.network.carriers.stream import open_stream

__all__ = ["Connection", "MemoryConnection", "Receiver", "memory_pair", "open_stream"]
