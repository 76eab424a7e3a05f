"""Fixtures: a warehouse for changes, emptied before each test."""

from collections.abc import Iterator

import psycopg
import pytest
from pydantic import SecretStr

from deploy.local.stack import Stack
from tests.areas.flights.airline import Airline
from tests.areas.flights.changes import Stream
from tests.areas.flights.mart_database import MartDatabase
from tests.integration.emptied import Emptied
from tests.warehouses import MakeWarehouse


@pytest.fixture(scope="session")
def emptied_airline(make_warehouse: MakeWarehouse) -> Iterator[Emptied]:
    """Give the warehouse that the tests share."""
    values = {"palate_areas": "flights", "palate_topics": None}
    # Tests refuse many messages on purpose.
    with make_warehouse(**values, palate_refused_share=1) as settings:
        dsn = settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("SET timezone = 'UTC'")
            conn.execute("SET jit = off")
            yield Emptied(settings, conn)


@pytest.fixture
def airline(emptied_airline: Emptied) -> Airline:
    """Give a warehouse without a row."""
    emptied_airline.empty()
    return Airline(emptied_airline.settings, emptied_airline.conn)


@pytest.fixture
def mart_database(services: Stack) -> Iterator[MartDatabase]:
    """Give the second PostgreSQL, with nothing in it."""
    with MartDatabase(services).made() as made:
        yield made


@pytest.fixture
def copied(airline: Airline, mart_database: MartDatabase) -> Airline:
    """Give a warehouse without a row, whose mart is copied."""
    dsn = SecretStr(mart_database.dsn)
    settings = airline.settings.model_copy(update={"mart_dsn": dsn})
    return Airline(settings, airline.conn)


@pytest.fixture
def stream() -> Stream:
    """Give an airline's changes; there is none yet."""
    return Stream()
