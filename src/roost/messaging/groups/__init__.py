"""Groups on MLS over shared logs (docs/protocol/groups.md). What a person does in them is in `actions` and `talking`."""
