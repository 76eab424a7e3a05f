"""The addresses that a broker advertises, and whether they can be reached.

A client first connects to ``KAFKA_BOOTSTRAP``, then to the addresses that the broker
sends it: those of ``advertised.listeners``.
"""

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaError

_SECONDS = 3


def problem(options: Mapping[str, Any], bootstrap: str) -> str | None:
    """Return what is wrong with the advertised addresses, or None.

    None also where no broker answers at all. It takes a few seconds at most.

    :param options: the connection options of a kafka-python client
    """
    try:
        client = KafkaConsumer(**options, bootstrap_timeout_ms=_SECONDS * 1000)
    except KafkaError:
        return None
    try:
        # Read at the bootstrap; librdkafka may ask at the advertised address at once.
        brokers = client._client.cluster.brokers()
    finally:
        client.close()
    with ThreadPoolExecutor(max_workers=16) as pool:
        wrong = [found for found in pool.map(_wrong, brokers) if found]
    if not wrong:
        return None
    return (
        f"Kafka at {bootstrap} answers, but {'; '.join(sorted(wrong))}. "
        "Correct advertised.listeners of that broker, or let its address lead there "
        "from this machine (name service, firewall)."
    )


def _wrong(broker: Any) -> str | None:
    place = f"broker {broker.node_id} advertises {broker.host}:{broker.port}"
    try:
        socket.getaddrinfo(broker.host, broker.port)
    except OSError:
        return f"{place}, a name that is not known"
    try:
        socket.create_connection((broker.host, broker.port), _SECONDS).close()
    except ConnectionRefusedError:
        return f"{place}, where nobody listens"
    except OSError:
        return f"{place}, which can't be reached"
    return None
