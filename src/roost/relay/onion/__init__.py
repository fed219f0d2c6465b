"""A relay as a node, or an authority, of an onion network."""
