"""Palate: order messages from Kafka to a Data Vault and counter marts in PostgreSQL.

The library runs without Airflow. Data flows one way through it:
``kafka -> staging -> vault -> marts``, with ``positions`` under all of them.
"""
