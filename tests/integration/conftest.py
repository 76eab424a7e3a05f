"""Fixtures for tests that stage by SQL."""

from collections.abc import Iterator

import psycopg
import pytest

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
