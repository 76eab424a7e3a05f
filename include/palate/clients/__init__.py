"""The connections to Kafka and Redis, and TLS."""

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

__all__ = [
    "Reader",
    "Unreadable",
    "kafka_connection",
    "kafka_reader",
    "kafka_sender",
    "record_batches",
    "redis_connection",
    "redis_refusals",
]
