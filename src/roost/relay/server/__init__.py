"""The relay's asyncio shell: it moves bytes between sockets, the rules (relay.core) and the storage."""
