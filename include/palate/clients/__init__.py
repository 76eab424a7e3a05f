"""The connections to Kafka, Redis and another PostgreSQL, and TLS."""

from palate.clients import (
    kafka_connection,
    kafka_reader,
    kafka_sender,
    record_batches,
    redis_connection,
    redis_refusals,
)
from palate.clients.fetching import Unreadable
from palate.clients.kafka_reader import Reader
from palate.clients.other_database import OtherDatabase

__all__ = [
    "OtherDatabase",
    "Reader",
    "Unreadable",
    "kafka_connection",
    "kafka_reader",
    "kafka_sender",
    "record_batches",
    "redis_connection",
    "redis_refusals",
]
