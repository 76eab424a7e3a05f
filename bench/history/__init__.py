"""Benchmarks of the wing ``history``."""
