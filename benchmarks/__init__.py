"""Benchmarks: each measures a piece of Roost against a floor in the same run (README.md)."""
