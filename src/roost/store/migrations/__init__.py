"""Numbered SQL files that make an older database a newer one. A released file never changes; a new one follows it."""
