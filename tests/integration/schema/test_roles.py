"""What the tasks' account and a reader may do, and what they may not."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import redis
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from deploy.local import postgres
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from palate.history import rebuild
from palate.landing import replays, retention
from palate.landing.partitions import ensure_partitions
from palate.landing.refusals import Selection
from palate.marts import compare
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.monitoring.watch import Watch
from palate.pipelines import look_up_all, run_pipeline
from palate.positions.ranges import FeedPartition, Range
from palate.reads.status import status
from palate.schema.migrate import migrate
from palate.settings import Settings
from tests.corpus.case import example
from tests.integration.broker import Broker
from tests.integration.staged import caller
from tests.model.history import Form


@pytest.fixture
def tasks(warehouse: Settings, services: Stack) -> Settings:
    """Give the settings of the warehouse with the account of Airflow's tasks."""
    secrets = Secrets.load(services.var / "secrets.json")
    dsn = make_conninfo(
        warehouse.dwh_dsn.get_secret_value(),
        user=postgres.TASKS,
        password=secrets.tasks,
    )
    return warehouse.model_copy(update={"dwh_dsn": SecretStr(dsn)})


@pytest.fixture
def reader(warehouse: Settings, services: Stack) -> Iterator[Connection]:
    """Connect as somebody who has the rights of a reader, and no others."""
    secrets = Secrets.load(services.var / "secrets.json")
    dsn = make_conninfo(
        warehouse.dwh_dsn.get_secret_value(), user="postgres", password=secrets.postgres
    )
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET ROLE palate_reader")
        yield conn


def test_tasks_do_all_their_work(
    tasks: Settings, broker: Broker, connection: Connection
) -> None:
    broker.send([example(Form.RAW), b"connection test"])
    with redis.Redis.from_url(tasks.redis_url.get_secret_value()) as client:
        client.set(
            "626a81ce9a8cd1920641e296",
            '{"_id": "626a81ce9a8cd1920641e296", "name": "a",'
            ' "update_ts_utc": "2023-08-11 16:44:59"}',
        )
    connection.execute(  # as if this table were new
        "UPDATE ops.definitions SET filled_dt = NULL WHERE name = 's_order_cost'"
    )

    list(run_pipeline(tasks))
    # A second version with an earlier date moves the order's date.
    broker.send([example(Form.RAW, {"payload.date": "2023-08-01 00:00:00"})])
    list(run_pipeline(tasks))
    replays.run(tasks, caller("replays"), Selection())
    list(run_pipeline(tasks))
    look_up_all(tasks, caller("sync"))
    replays.dismiss(tasks, Selection(), "ada", "a test")
    for name in load_marts("food"):
        marts.rebuild(tasks, name, caller("rebuild"))
        assert compare.differences(tasks, name)[0] == 0
    rebuild.build(tasks, caller("rebuild"))
    assert not rebuild.compare(tasks, caller("rebuild")).differs
    assert rebuild.discard(tasks)
    rebuild.build(tasks, caller("rebuild"))
    connection.execute("DELETE FROM dds.s_user_names")
    assert rebuild.compare(tasks, caller("rebuild")).differing == 1
    rebuild.swap(tasks, caller("rebuild"), is_approved=True)

    with Watch(tasks, lambda _: "nobody") as watch:
        watch.once()
    assert connection.execute("SELECT sum(mart_offset) FROM ops.log_minutes").fetchone()

    found = status(tasks)
    assert (found.refused, found.dismissed, found.problems) == ({}, 1, [])
    assert connection.execute(
        "SELECT order_dt::date::text, (SELECT count(*) FROM dds.s_user_names),"
        " (SELECT count(*) FROM ops.definitions WHERE filled_dt IS NULL"
        " AND kind <> 'mart') FROM dds.h_order"
    ).fetchall() == [("2023-08-01", 1, 0)]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP SCHEMA cdm CASCADE",
        "DROP TABLE cdm.user_product_counters",
        "ALTER TABLE dds.h_user ADD COLUMN x text",
        "CREATE TABLE ops.x ()",
        "CREATE SCHEMA x",
        "SELECT ops.copy_empty('dds.h_user', 'cdm')",
        "DELETE FROM stg.order_events",
        "UPDATE stg.order_events SET message = NULL",
        "TRUNCATE dds.h_order",
        "UPDATE dds.h_order SET order_id = 1",
        "DELETE FROM ops.batches",
        "UPDATE ops.definitions SET definition = '{}'",
        "DROP TABLE stg.order_events",
        "DELETE FROM ops.stage_runs",
        "UPDATE ops.event_partitions SET dropped_dt = now()",
        "INSERT INTO ops.event_partitions (topic, epoch, kafka_partition, from_offset,"
        " to_offset) VALUES ('t', 0, 0, 0, 1)",
        "ALTER FUNCTION stg.make_room SECURITY INVOKER",
        "CREATE TABLE stg.x PARTITION OF stg.order_events DEFAULT",
    ],
)
def test_tasks_can_not_change_what_is_kept(tasks: Settings, statement: str) -> None:
    with _connect(tasks) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement)


def test_tasks_make_drop_and_prune_by_functions_only(
    tasks: Settings, connection: Connection
) -> None:
    with _connect(tasks) as conn:
        ensure_partitions(conn, tasks, [Range(FeedPartition("t", 0, 0), 0, 5)])
        (id,) = connection.execute(
            "SELECT event_partition_id FROM ops.event_partitions"
        ).fetchone() or (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"DROP TABLE stg.order_events_{id}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(
                f"ALTER TABLE stg.order_events DETACH PARTITION stg.order_events_{id}"
            )
        # The age that the caller gives has a floor, and a watermark is looked at.
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            conn.execute("SELECT stg.drop_partition(%s, now(), 'x')", (id,))
        kept = conn.execute(
            "SELECT stg.drop_partition(%s, now() - interval '2 days', 'x')", (id,)
        ).fetchone()
        # No area has read this topic, so it may be for any.
        assert str((kept or ("",))[0]).endswith("stands at offset 0")
        found = retention.retain(
            tasks.model_copy(update={"palate_stg_keep_days": 1}), caller("retain")
        )
        assert [item.range for item in found.kept] == [
            Range(FeedPartition("t", 0, 0), 0, 1_000_000)
        ]
        assert found.dropped == []


def test_functions_with_the_rights_of_the_owner_have_a_fixed_path(
    connection: Connection,
) -> None:
    rows = connection.execute(
        "SELECT p.oid::regproc::text, p.proconfig,"
        " has_function_privilege('public', p.oid, 'EXECUTE')"
        " FROM pg_proc AS p WHERE p.prosecdef"
        " AND p.pronamespace IN ('ops'::regnamespace, 'stg'::regnamespace) ORDER BY 1"
    ).fetchall()

    path = ["search_path=pg_catalog, pg_temp"]
    assert {
        ("ops.prune", False),
        ("stg.drop_partition", False),
        ("stg.make_room", False),
    } <= {(name, is_public) for name, _, is_public in rows}
    assert [config for _, config, _ in rows] == [path] * len(rows)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT stg.make_room('t', 0, 0, 0, 5, 5)",
        "SELECT stg.drop_partition(1, now() - interval '9 days', 'x')",
        "SELECT ops.prune(now() - interval '90 days')",
    ],
)
def test_reader_changes_nothing_by_a_function(
    reader: Connection, statement: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(statement)


@pytest.mark.parametrize(
    "table",
    [
        "cdm.user_category_counters",
        "dds.h_user",
        "stg.rejected_messages",
        "ops.batches",
        "ops.log_minutes",
    ],
)
def test_reader_reads_and_writes_nothing(reader: Connection, table: str) -> None:
    reader.execute(f"SELECT count(*) FROM {table}")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(f"DELETE FROM {table}")


def test_reader_has_the_views(reader: Connection) -> None:
    assert reader.execute("SELECT count(*) FROM dds.v_order_item").fetchone() == (0,)


def test_reader_does_not_see_the_messages(reader: Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("SELECT message FROM stg.order_events")


def test_new_table_has_the_rights_of_the_others(
    warehouse: Settings, connection: Connection, reader: Connection
) -> None:
    connection.execute("CREATE TABLE dds.s_new (x integer)")

    migrate(warehouse)

    assert reader.execute("SELECT count(*) FROM dds.s_new").fetchone() == (0,)


@contextmanager
def _connect(settings: Settings) -> Iterator[Connection]:
    with psycopg.connect(settings.dwh_dsn.get_secret_value(), autocommit=True) as conn:
        yield conn
