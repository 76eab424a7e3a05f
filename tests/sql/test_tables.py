"""What holds of every table of its kind, read from the definition files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

import psycopg
import pytest
from psycopg import Connection, sql

from palate.marts.definitions import load_marts
from palate.names import HUB_KEY_NAMESPACE
from palate.settings import Settings
from palate.vault.definitions import load_vault
from palate.vault.kinds import Hub, Link, Satellite
from tests.integration.staged import load, stage_entries, stage_messages, with_topics
from tests.integration.ties import STORIES
from tests.model.history import Entry, Message
from tests.warehouses import MakeWarehouse

# The tables of the orders: tests/areas/flights has tests of its own.
VAULT = load_vault("food")
OF_KIND = {
    kind: [name for name, item in VAULT.tables.items() if isinstance(item, kind)]
    for kind in (Hub, Link, Satellite)
}
MARTS = list(load_marts("food"))
TABLES = [f"dds.{name}" for name in VAULT.tables] + [f"cdm.{name}" for name in MARTS]
TECHNICAL = {"load_dt", "load_src"}


@dataclass(frozen=True)
class Warehouse:
    """A warehouse that has loaded every story, and a connection to it."""

    settings: Settings
    conn: Connection

    def rows(self, query: str, *names: str) -> list[tuple]:
        """Return the rows of a query whose braces stand for tables and columns."""
        identifiers = [sql.Identifier(*name.split(".")) for name in names]
        return self.conn.execute(sql.SQL(query).format(*identifiers)).fetchall()

    def content(self, table: str, *, whole: bool) -> list[tuple]:
        """Return a table's rows, sorted; without what only says when it was loaded."""
        schema, name = table.split(".")
        columns = self.conn.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE (table_schema, table_name) = (%s, %s) ORDER BY ordinal_position",
            (schema, name),
        )
        names = [column for (column,) in columns if whole or column not in TECHNICAL]
        listed = ", ".join("{}" for _ in names)
        rows = self.rows(f"SELECT ({listed})::text FROM {{}}", *names, table)
        return sorted(rows)


def history() -> tuple[list[Message], list[Entry]]:
    """Return all stories in one, each message in a partition of its own."""
    messages = [message for story in STORIES.values() for message in story.messages]
    return (
        [replace(one, partition=number) for number, one in enumerate(messages)],
        [entry for story in STORIES.values() for entry in story.entries],
    )


@pytest.fixture(scope="module")
def loaded(make_warehouse: MakeWarehouse) -> Iterator[Warehouse]:
    messages, entries = history()
    with make_warehouse() as settings, _open(settings) as found:
        stage_messages(found.conn, messages)
        stage_entries(found.settings, entries)
        load(found.settings, "once")
        yield found


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_rows_here(loaded: Warehouse, table: str) -> None:
    """Else the tests below say nothing about it: add a story that fills it."""
    assert loaded.rows("SELECT count(*) > 0 FROM {}", table) == [(True,)]


@pytest.mark.parametrize("table", VAULT.tables)
def test_table_is_described_and_ends_with_technical_columns(
    loaded: Warehouse, table: str
) -> None:
    columns = loaded.conn.execute(
        "SELECT column_name FROM information_schema.columns"
        " WHERE (table_schema, table_name) = ('dds', %s) ORDER BY ordinal_position",
        (table,),
    ).fetchall()
    assert columns[-2:] == [("load_dt",), ("load_src",)]
    (description,) = loaded.conn.execute(
        "SELECT obj_description(%s::regclass)", (f"dds.{table}",)
    ).fetchone() or ("",)
    assert description == VAULT.tables[table].description.strip()


@pytest.mark.parametrize("table", VAULT.tables)
def test_primary_key_holds_no_load_time(table: str) -> None:
    """Two changes in one batch would collide, and one would vanish."""
    key = VAULT.context(VAULT.tables[table])["primary_key"]
    assert not TECHNICAL & set(key)


@pytest.mark.parametrize("table", OF_KIND[Hub] + OF_KIND[Link])
def test_key_is_unique_and_not_null(loaded: Warehouse, table: str) -> None:
    item = VAULT.tables[table]
    assert isinstance(item, Hub | Link)
    query = "SELECT count(*) - count(DISTINCT {}) FROM {}"
    assert loaded.rows(query, item.key, f"dds.{table}") == [(0,)]


@pytest.mark.parametrize("table", OF_KIND[Hub])
def test_hub_key_is_the_uuid_of_the_business_key(loaded: Warehouse, table: str) -> None:
    hub = VAULT.tables[table]
    assert isinstance(hub, Hub)
    business_key = next(iter(hub.business_keys))
    query = "SELECT {}, {}::text FROM {}"
    for key, text in loaded.rows(query, hub.key, business_key, f"dds.{table}"):
        assert key == uuid5(HUB_KEY_NAMESPACE, text)


@pytest.mark.parametrize("table", OF_KIND[Hub])
def test_business_key_is_unique_and_not_null(loaded: Warehouse, table: str) -> None:
    hub = VAULT.tables[table]
    assert isinstance(hub, Hub)
    business_key = next(iter(hub.business_keys))
    query = "SELECT count(*) - count(DISTINCT {}) FROM {}"
    assert loaded.rows(query, business_key, f"dds.{table}") == [(0,)]


@pytest.mark.parametrize("table", OF_KIND[Link])
def test_link_joins_keys_that_are_in_their_hubs(loaded: Warehouse, table: str) -> None:
    link = VAULT.tables[table]
    assert isinstance(link, Link)
    for name in link.hub_keys:
        hub = VAULT.tables[name]
        assert isinstance(hub, Hub)
        orphans = "SELECT {0} FROM {1} EXCEPT SELECT {0} FROM {2}"
        assert loaded.rows(orphans, hub.key, f"dds.{table}", f"dds.{name}") == []


@pytest.mark.parametrize("table", OF_KIND[Link])
def test_link_key_follows_from_the_hub_keys(loaded: Warehouse, table: str) -> None:
    link = VAULT.tables[table]
    assert isinstance(link, Link)
    hubs = [VAULT.tables[name] for name in link.hub_keys]
    keys = [hub.key for hub in hubs if isinstance(hub, Hub)]
    for key, first, second in loaded.rows(
        "SELECT {}, {}, {} FROM {}", link.key, *keys, f"dds.{table}"
    ):
        assert key == uuid5(UUID(str(first)), str(second))


@pytest.mark.parametrize("table", OF_KIND[Satellite])
def test_satellite_key_is_unique_and_its_parent_exists(
    loaded: Warehouse, table: str
) -> None:
    satellite = VAULT.tables[table]
    assert isinstance(satellite, Satellite)
    context = VAULT.context(satellite)
    key = context["primary_key"]
    listed = ", ".join("{}" for _ in key)
    unique = f"SELECT count(*) - count(DISTINCT ({listed})) FROM {{}}"
    assert loaded.rows(unique, *key, f"dds.{table}") == [(0,)]

    parent = context["parent_key"]
    orphans = "SELECT {0} FROM {1} EXCEPT SELECT {0} FROM {2}"
    assert loaded.rows(orphans, parent, f"dds.{table}", f"dds.{satellite.parent}") == []


def test_batch_that_is_loaded_again_changes_nothing(loaded: Warehouse) -> None:
    before = {table: loaded.content(table, whole=True) for table in TABLES}
    outcomes = load(loaded.settings, "once")
    assert all(outcome.repeated for outcome in outcomes.values())
    counts = outcomes["vault"].counts
    assert {table: counts[table] for table in VAULT.tables if counts[table]} == {}
    assert {table: loaded.content(table, whole=True) for table in TABLES} == before


def test_batches_in_another_order_change_nothing(
    loaded: Warehouse, make_warehouse: MakeWarehouse
) -> None:
    messages, entries = history()
    with make_warehouse() as settings, _open(settings) as other:
        for number in range(0, len(messages), 4):
            end = len(messages) - number
            stage_messages(other.conn, messages[max(end - 4, 0) : end])
            load(other.settings, f"orders {number}")
        stage_entries(other.settings, entries)
        load(other.settings, "entries")

        differing = [
            table
            for table in TABLES
            if other.content(table, whole=False) != loaded.content(table, whole=False)
        ]
    assert differing == []


@contextmanager
def _open(settings: Settings) -> Iterator[Warehouse]:
    dsn = settings.dwh_dsn.get_secret_value()
    with psycopg.connect(dsn, autocommit=True) as conn:
        yield Warehouse(with_topics(settings), conn)
