"""MLS (RFC 9420): groups whose members are devices. docs/protocol/mls.md says what Roost chooses within the RFC."""
