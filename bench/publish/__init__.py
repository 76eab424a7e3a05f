"""Benchmarks of the wing ``publish``."""
