"""Benchmarks of the wing ``landing``."""
