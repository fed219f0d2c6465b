"""The onion network as clients and nodes use it (docs/protocol/onion.md)."""
