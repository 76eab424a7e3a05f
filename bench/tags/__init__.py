"""Benchmarks of the wing ``tags``."""
