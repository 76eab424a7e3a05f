"""Benchmarks: ratios from one run on one machine, never a bare time (`make bench`)."""
