"""Benchmarks of the wing ``marts``."""
