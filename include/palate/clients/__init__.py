"""How the services are spoken to: Kafka, Redis, TLS."""
