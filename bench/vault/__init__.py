"""Benchmarks of the wing ``vault``."""
