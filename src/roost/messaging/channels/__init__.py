"""Channels: open by link, read by anyone who has it, written to by some or all (docs/protocol/channels.md)."""
