"""Roost: a private messenger."""
