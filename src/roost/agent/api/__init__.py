"""The agent's local API (docs/api.md): the table of operations over HTTP, and events over a WebSocket."""
