"""Fixtures: a warehouse that is emptied by SQL, and the broker."""

from collections.abc import Iterator

import psycopg
import pytest
from kafka.admin import KafkaAdminClient

from palate.settings import Settings
from tests.integration.broker import Broker
from tests.integration.emptied import Emptied
from tests.integration.staged import with_topics
from tests.warehouses import MakeWarehouse


@pytest.fixture(scope="module")
def emptied(make_warehouse: MakeWarehouse) -> Iterator[Emptied]:
    """Give a warehouse whose test calls ``emptied.empty()`` before each history."""
    with make_warehouse() as settings:
        dsn = settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True) as conn:
            yield Emptied(with_topics(settings), conn)


@pytest.fixture
def broker(warehouse: Settings) -> Iterator[Broker]:
    """Give the broker, with the topics of the test's warehouse."""
    admin = KafkaAdminClient(bootstrap_servers=warehouse.kafka_bootstrap)
    yield Broker(warehouse, admin)
    admin.close()
