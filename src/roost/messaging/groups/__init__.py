"""Groups on MLS over shared logs (docs/protocol/groups.md). What a person does with one is in `actions`."""
