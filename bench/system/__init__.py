"""Benchmarks of the whole system: Airflow, a second worker, a replica, months."""
