"""Fuzzing: one target for every parser that faces the network or a file (docs/testing.md, "Fuzzing")."""
