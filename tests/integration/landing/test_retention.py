"""STG in partitions: room for what comes, and retention of what nobody needs."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import CheckViolation, InvalidParameterValue
from typer.testing import CliRunner

from palate.cli.app import app
from palate.errors import SettingsError
from palate.landing import dictionaries, drain, replays, retention
from palate.landing.partitions import ensure_partitions
from palate.landing.refusals import Selection
from palate.marts import compare
from palate.marts.definitions import load_marts
from palate.names import AREAS_FOLDER, SQL_FOLDER
from palate.positions.ranges import FeedPartition, Range
from palate.positions.watermark import watermarks
from palate.reads import refused, storage
from palate.schema.migrate import migrate
from palate.settings import Settings
from tests.corpus.case import BROKER_DT, example
from tests.food import FOOD
from tests.integration.broker import Broker
from tests.integration.staged import caller, load, stage_messages, with_topics
from tests.model.history import Form, Message
from tests.warehouses import MakeWarehouse

TOPIC = "orders"
LOG = FeedPartition(TOPIC, 0, 0)
NOT_JSON = b"connection test"


@pytest.fixture
def settings(make_warehouse: MakeWarehouse) -> Iterator[Settings]:
    """Give a warehouse whose partitions have ten positions, and whose STG ages."""
    with make_warehouse() as found:
        yield with_topics(found, {TOPIC: Form.RAW}).model_copy(
            update={"palate_stg_partition_positions": 10, "palate_stg_keep_days": 30}
        )


@pytest.fixture
def conn(settings: Settings) -> Iterator[Connection]:
    dsn = settings.dwh_dsn.get_secret_value()
    with psycopg.connect(dsn, autocommit=True) as found:
        yield found


class TestRoom:
    """``make_room``."""

    def test_is_made_once_and_in_line(
        self, settings: Settings, conn: Connection
    ) -> None:
        for _ in range(2):
            ensure_partitions(conn, settings, [Range(LOG, 15, 31)])

        assert _bounds(conn) == [(10, 20), (20, 30), (30, 40)]

    def test_fits_between_neighbours_of_another_size(
        self, settings: Settings, conn: Connection
    ) -> None:
        ensure_partitions(conn, settings, [Range(LOG, 12, 13), Range(LOG, 30, 31)])
        larger = settings.model_copy(update={"palate_stg_partition_positions": 100})

        ensure_partitions(conn, larger, [Range(LOG, 0, 150)])

        ends = [0, 10, 20, 30, 40, 100, 200]
        assert _bounds(conn) == list(pairwise(ends))

    @pytest.mark.parametrize(
        "values",
        [
            (None, 0, 0, 0, 1, 1),
            ("", 0, 0, 0, 1, 1),
            (TOPIC, -1, 0, 0, 1, 1),
            (TOPIC, 0, -1, 0, 1, 1),
            (TOPIC, 0, 0, -1, 1, 1),
            (TOPIC, 0, 0, 0, None, 1),
            (TOPIC, 0, 0, 0, 1, 0),
        ],
    )
    def test_is_made_for_positions_only(
        self, conn: Connection, values: tuple[Any, ...]
    ) -> None:
        with pytest.raises(InvalidParameterValue):
            conn.execute("SELECT stg.make_room(%s, %s, %s, %s, %s, %s)", values)

    def test_name_of_a_topic_is_never_sql(
        self, settings: Settings, conn: Connection
    ) -> None:
        name = "x') TO ('y'); DROP SCHEMA cdm CASCADE; --%s %I"

        ensure_partitions(conn, settings, [Range(FeedPartition(name, 0, 0), 0, 5)])

        rows = conn.execute("SELECT topic FROM ops.event_partitions").fetchall()
        assert rows == [(name,)]
        conn.execute("SELECT count(*) FROM cdm.user_product_counters")

    def test_is_refused_where_a_thousand_would_not_do(
        self, settings: Settings, conn: Connection
    ) -> None:
        with pytest.raises(SettingsError, match="Set PALATE_STG_PARTITION_POSITIONS"):
            ensure_partitions(conn, settings, [Range(LOG, 0, 10_001)])

    def test_drain_makes_it_by_itself(
        self, broker: Broker, connection: Connection
    ) -> None:
        broker.send([b"%d" % number for number in range(25)])
        small = broker.settings.model_copy(
            update={"palate_stg_partition_positions": 10}
        )

        drain.run(small, FOOD, caller("drain"))

        assert _bounds(connection) == [(0, 10), (10, 20), (20, 30)]
        leaves = "SELECT count(*) FROM stg.order_events GROUP BY tableoid ORDER BY 1"
        assert connection.execute(leaves).fetchall() == [(5,), (10,), (10,)]


class TestManyPartitions:
    """What reads a range has nothing to do with the partitions beside it."""

    def test_range_locks_its_own_partitions_only(
        self, settings: Settings, conn: Connection
    ) -> None:
        _stage(conn, settings, 300)

        with conn.transaction():
            query = "SELECT count(*) FROM stg.messages(%s, 0, 0, 15, 25)"
            assert conn.execute(query, (TOPIC,)).fetchone() == (10,)
            locked = conn.execute(
                "SELECT count(DISTINCT l.relation) FROM pg_locks AS l"
                " INNER JOIN pg_inherits AS i ON l.relation = i.inhrelid"
                " WHERE l.pid = pg_backend_pid()"
                " AND i.inhparent = 'stg.order_events'::regclass"
            )
            assert locked.fetchone() == (2,)

    def test_parse_reads_ranges_only(self) -> None:
        parse = AREAS_FOLDER / "food" / "sources" / "orders" / "parse"
        named = [p.name for p in parse.glob("*.sql") if "order_events" in p.read_text()]
        assert named == []

    def test_hundreds_are_loaded_and_dropped(
        self, settings: Settings, conn: Connection
    ) -> None:
        small = settings.model_copy(update={"palate_stg_partition_positions": 1})
        for start in range(0, 300, 50):
            _stage(conn, small, 50, start=start)
        load(small)
        _name(small)

        assert len(retention.retain(small, caller("retain")).dropped) == 300
        assert conn.execute("SELECT count(*) FROM dds.h_order").fetchone() == (300,)


class TestRetain:
    """``retention.retain``."""

    def test_drops_what_is_old_and_taken(
        self, settings: Settings, conn: Connection
    ) -> None:
        _stage(conn, settings, 25)
        load(settings)
        _name(settings)

        would = retention.retain(settings, caller("retain"), dry_run=True)
        assert [item.range for item in would.dropped] == [
            Range(LOG, 0, 10),
            Range(LOG, 10, 20),
        ]
        assert len(_offsets(conn)) == 25

        done = retention.retain(settings, caller("retain"))

        assert [item.range for item in done.dropped] == [
            Range(LOG, 0, 10),
            Range(LOG, 10, 20),
        ]
        assert [(item.range, item.kept) for item in done.kept] == [
            (Range(LOG, 20, 30), "stage drain stands at offset 25")
        ]
        assert _offsets(conn) == [20, 21, 22, 23, 24]
        found = storage.show(settings)
        assert [item.range for item in found.partitions] == [Range(LOG, 20, 30)]
        gone = found.dropped[1]
        assert gone.last_broker_dt == BROKER_DT + timedelta(seconds=19)
        assert gone.bytes > 0
        assert gone.dropped_by == "test test"
        assert retention.retain(settings, caller("retain")).dropped == []
        assert (
            sum(compare.differences(settings, name)[0] for name in load_marts("food"))
            == 0
        )

    def test_keeps_everything_by_default(
        self, settings: Settings, conn: Connection
    ) -> None:
        everything = settings.model_copy(update={"palate_stg_keep_days": None})
        _stage(conn, settings, 25)
        load(settings)
        _name(settings)

        assert retention.retain(everything, caller("retain")).dropped == []
        assert {item.kept for item in storage.show(everything).partitions} == {
            "PALATE_STG_KEEP_DAYS is not set"
        }

    def test_keeps_what_is_young_by_broker_time(
        self, settings: Settings, conn: Connection
    ) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        _stage(conn, settings, 25, broker_dt=now - timedelta(days=31))
        # One message of a few days ago, amid older ones.
        conn.execute(
            "UPDATE stg.order_events SET broker_dt = %s WHERE kafka_offset = 13",
            (now - timedelta(days=3),),
        )
        load(settings)
        _name(settings)

        done = retention.retain(settings, caller("retain"))

        assert [item.range for item in done.dropped] == [Range(LOG, 0, 10)]
        assert done.kept[0].kept == (
            f"it has messages of {now - timedelta(days=3):%F %T} UTC"
        )

    def test_keeps_what_the_vault_has_not_taken(
        self, settings: Settings, conn: Connection
    ) -> None:
        _stage(conn, settings, 20)
        load(settings)
        _name(settings)
        conn.execute("UPDATE ops.watermarks SET next_offset = 9 WHERE stage = 'vault'")

        done = retention.retain(settings, caller("retain"))

        assert done.dropped == []
        assert done.kept[0].kept == "stage vault stands at offset 9"
        conn.execute("DELETE FROM ops.watermarks WHERE stage = 'vault'")
        done = retention.retain(settings, caller("retain"))
        assert done.kept[0].kept == "stage vault stands at offset 0"

    @pytest.mark.parametrize("stage", ["publish:orders", "lookup", "mart:removed"])
    def test_stage_that_stands_still_keeps_nothing_it_does_not_read(
        self, settings: Settings, conn: Connection, stage: str
    ) -> None:
        _stage(conn, settings, 20)
        load(settings)
        _name(settings)
        conn.execute("DELETE FROM ops.watermarks WHERE stage = %s", (stage,))
        conn.execute(
            "INSERT INTO ops.watermarks (stage, topic, epoch, kafka_partition,"
            " first_offset, next_offset, moved_dt)"
            " SELECT %s, topic, epoch, kafka_partition, 0, 3, moved_dt"
            " FROM ops.watermarks WHERE stage = 'vault'",
            (stage,),
        )

        assert len(retention.retain(settings, caller("retain")).dropped) == 2
        # The mart and what is published come from the vault.
        load(settings, "later")
        assert [
            compare.differences(settings, name)[0] for name in load_marts("food")
        ] == [
            0,
            0,
        ]

    def test_replays_are_pruned_where_a_feed_was_switched_off(
        self, settings: Settings, conn: Connection
    ) -> None:
        _stage(conn, settings, 20, {3: NOT_JSON})
        load(settings)
        replays.run(settings, caller("replays"), Selection())
        load(settings, "replay")
        _name(settings)
        conn.execute(
            "INSERT INTO ops.watermarks (stage, topic, epoch, kafka_partition,"
            " first_offset, next_offset, moved_dt)"
            " VALUES ('publish:orders', 'replays', 0, 0, 0, 0, '2020-01-01')"
        )
        conn.execute("UPDATE ops.replays SET asked_dt = '2020-01-01'")

        done = retention.retain(settings, caller("retain"))

        assert done.pruned["ops.replays"] == 1

    def test_keeps_what_a_new_table_is_not_filled_from(
        self, settings: Settings, conn: Connection
    ) -> None:
        _stage(conn, settings, 20)
        load(settings)
        _name(settings)
        _make_new(conn, "s_order_cost")

        done = retention.retain(settings, caller("retain"))

        assert done.kept[0].kept == "stage vault:s_order_cost stands at offset 0"
        load(settings, "fill")
        assert len(retention.retain(settings, caller("retain")).dropped) == 2

    def test_keeps_refused_messages_that_nobody_has_decided_on(
        self, settings: Settings, conn: Connection
    ) -> None:
        _stage(conn, settings, 30, {13: NOT_JSON})
        load(settings)
        _name(settings)

        done = retention.retain(settings, caller("retain"))

        assert [item.range for item in done.dropped] == [Range(LOG, 0, 10)]
        assert [item.kept for item in storage.show(settings).partitions] == [
            "1 refused message is neither replayed nor dismissed",
            "an older partition of its log is kept",
        ]
        replays.dismiss(settings, Selection(), "ada", "a test")
        assert len(retention.retain(settings, caller("retain")).dropped) == 2

    def test_keeps_what_is_asked_to_be_judged_again(
        self, settings: Settings, conn: Connection
    ) -> None:
        _stage(conn, settings, 20, {3: NOT_JSON})
        load(settings)
        _name(settings)
        replays.dismiss(settings, Selection(), "ada", "a test")
        replays.run(settings, caller("replays"), Selection(with_dismissed=True))

        done = retention.retain(settings, caller("retain"))

        assert done.kept[0].kept == "1 replay that was asked for is not done yet"
        load(settings, "replay")
        _name(settings)
        assert len(retention.retain(settings, caller("retain")).dropped) == 2

    def test_drops_the_rest_of_an_epoch_that_is_over(
        self, settings: Settings, conn: Connection
    ) -> None:
        _stage(conn, settings, 5)
        load(settings)
        _name(settings)
        other = LOG.partition + 1
        conn.execute(
            "INSERT INTO ops.topics (topic, epoch, kafka_partition) VALUES (%s, 1, %s)",
            (TOPIC, other),
        )
        assert retention.retain(settings, caller("retain")).dropped == []
        conn.execute("INSERT INTO ops.topics (topic, epoch) VALUES (%s, 2)", (TOPIC,))

        done = retention.retain(settings, caller("retain"))

        assert [item.range for item in done.dropped] == [Range(LOG, 0, 10)]

    def test_leaves_what_somebody_reads(
        self, settings: Settings, conn: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _stage(conn, settings, 20)
        load(settings)
        _name(settings)
        monkeypatch.setattr(retention, "_BETWEEN_TRIES_SECONDS", 0)

        with conn.transaction():
            conn.execute("SELECT count(*) FROM stg.order_events")
            done = retention.retain(settings, caller("retain"))

        assert done.dropped == []
        assert [item.kept for item in done.kept] == [
            "somebody was using STG at each of 10 tries to drop it"
        ]
        assert len(_offsets(conn)) == 20

    def test_nobody_waits_long_behind_it(
        self, settings: Settings, conn: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retention, "_BETWEEN_TRIES_SECONDS", 0.1)
        for partition in (0, 1, 2):
            _stage(conn, settings, 20, partition=partition)
        load(settings)
        _name(settings)
        waits = []
        dsn = settings.dwh_dsn.get_secret_value()
        with (
            ThreadPoolExecutor() as pool,
            psycopg.connect(dsn, autocommit=True) as live,
            conn.transaction(),
        ):
            conn.execute("SELECT count(*) FROM stg.order_events")  # a long reader
            dropping = pool.submit(retention.retain, settings, caller("retain"))
            while not dropping.done():
                start = time.monotonic()
                live.execute("SELECT count(*) FROM stg.order_events")
                waits.append(time.monotonic() - start)

        # Three logs are not three times ten tries: the first refusal is the last.
        assert len(dropping.result().kept) == 3
        assert len(waits) > 100
        assert max(waits) < 1

    def test_is_not_for_the_last_day(self, conn: Connection) -> None:
        with pytest.raises(InvalidParameterValue):
            conn.execute("SELECT stg.drop_partition(1, now(), 'ada')")


class TestAfterADrop:
    """What reads STG says that the bytes are gone, and does no harm."""

    @pytest.fixture(autouse=True)
    def _dropped(self, settings: Settings, conn: Connection) -> None:
        _stage(conn, settings, 25, {3: NOT_JSON, 23: NOT_JSON})
        load(settings)
        _name(settings)
        replays.dismiss(settings, Selection(limit=1), "ada", "a test")
        done = retention.retain(settings, caller("retain"))
        assert [item.range.end for item in done.dropped] == [10, 20]

    def test_cleared_vault_task_leaves_what_is_gone(
        self, settings: Settings, conn: Connection
    ) -> None:
        before = _everything(conn)

        outcome = load(settings)["vault"]

        assert outcome.ranges == {LOG: (20, 25)}
        assert "dropped the messages of orders[0] 0..19 from STG" in outcome.note
        assert _everything(conn) == before

    def test_new_table_is_true_from_what_is_kept(
        self, settings: Settings, conn: Connection, caplog: pytest.LogCaptureFixture
    ) -> None:
        _make_new(conn, "s_order_cost")
        conn.execute("DELETE FROM dds.s_order_cost")

        load(settings, "fill")

        assert conn.execute("SELECT count(*) FROM dds.s_order_cost").fetchone() == (4,)
        assert [
            (item.table, item.log, item.offset)
            for item in storage.show(settings).true_from
        ] == [("s_order_cost", LOG, 20)]
        assert "vault:s_order_cost begins at offset 20 of orders[0]" in caplog.text

    def test_new_mart_has_everything(
        self, settings: Settings, conn: Connection
    ) -> None:
        name = next(iter(load_marts("food")))
        before = _everything(conn)
        conn.execute(f"TRUNCATE cdm.{name}, cdm.{name}_counted")
        stage = load_marts("food")[name].stage
        conn.execute("DELETE FROM ops.watermarks WHERE stage = %s", (stage,))

        load(settings, "new mart")

        assert compare.differences(settings, name)[0] == 0
        assert _everything(conn) == before

    def test_refused_message_says_that_its_bytes_are_gone(
        self, settings: Settings, conn: Connection
    ) -> None:
        content = refused.show(conn, LOG, 3)
        assert (content.is_gone, content.message) == (True, None)
        assert not refused.show(conn, LOG, 23).is_gone
        shown = _call(settings, "rejected", "show", TOPIC, "0", "3")
        assert "Its bytes are gone: retention has dropped them" in shown.output

    def test_replay_leaves_out_what_is_gone(self, settings: Settings) -> None:
        selection = Selection(with_dismissed=True)

        outcome = replays.run(settings, caller("replays"), selection)

        assert outcome.counts == {"queued": 1}
        assert outcome.note.startswith("1 of those selected can't be replayed")

    def test_room_is_not_made_again(self, settings: Settings, conn: Connection) -> None:
        ensure_partitions(conn, settings, [Range(LOG, 0, 25)])

        assert _bounds(conn) == [(20, 30)]
        with pytest.raises(CheckViolation):
            _copy_one(conn, 5)


def _make_older_warehouse(connection: Connection, version: str) -> None:
    """Leave what the migrations up to this one made, and nothing else."""
    connection.execute("DROP SCHEMA ops, stg, dds, cdm CASCADE")
    connection.execute("CREATE SCHEMA ops")
    connection.execute('DROP EXTENSION "uuid-ossp"')
    for path in sorted((SQL_FOLDER / "ops" / "versions").glob("*.sql")):
        if path.name[:4] <= version:
            connection.execute(path.read_text())
    connection.execute(
        "CREATE TABLE ops.migrations (version_num varchar(32) PRIMARY KEY)"
    )
    connection.execute("INSERT INTO ops.migrations VALUES (%s)", (version,))


def test_messages_of_an_older_warehouse_move_into_partitions(
    warehouse: Settings, connection: Connection
) -> None:
    _make_older_warehouse(connection, "0002")
    offsets = [7, 8, 2_500_000]
    for offset in offsets:
        _copy_one(connection, offset)

    migrate(warehouse)

    assert _offsets(connection) == offsets
    assert _bounds(connection)[0] == (0, 1_000_000)
    assert len(_bounds(connection)) == 3


def test_indexes_of_an_older_warehouse_take_long_names(
    warehouse: Settings, connection: Connection
) -> None:
    _make_older_warehouse(connection, "0016")
    connection.execute(
        "CREATE TABLE cdm.names (product_name text);"
        " CREATE INDEX ON cdm.names (product_name);"
        " CREATE SCHEMA dds_rebuild;"
        " CREATE TABLE dds_rebuild.h_category (category_name text);"
        " CREATE INDEX ON dds_rebuild.h_category (category_name)"
    )

    migrate(warehouse)

    assert connection.execute(
        "SELECT indexdef FROM pg_indexes"
        " WHERE tablename IN ('names', 'h_category')"
        " AND indexdef ~ '\\((product|category)_name'"
    ).fetchall() == [
        ("CREATE INDEX names_product_name_idx ON cdm.names USING hash (product_name)",)
    ]


def test_cleared_drain_task_leaves_what_is_gone(
    broker: Broker, connection: Connection
) -> None:
    settings = broker.settings.model_copy(
        update={"palate_stg_partition_positions": 10, "palate_stg_keep_days": 1}
    )
    old = int((datetime.now(UTC) - timedelta(days=3)).timestamp() * 1000)
    broker.send([b"%d" % number for number in range(25)], timestamp_ms=old)
    drain.run(settings, FOOD, caller("drain"))
    load(settings)
    _name(settings)
    replays.dismiss(settings, Selection(), "ada", "a test")
    assert len(retention.retain(settings, caller("retain")).dropped) == 2

    outcome = drain.run(settings, FOOD, caller("drain"))

    assert outcome.counts == {"compared": 5, "healed": 0, "differing": 0}
    assert f"{broker.raw}[0] 0..19 from STG" in outcome.note
    assert _offsets(connection) == [20, 21, 22, 23, 24]


class TestPrune:
    """The bounds of ``ops``."""

    def test_keeps_the_newest_and_what_is_waited_for(
        self, settings: Settings, conn: Connection
    ) -> None:
        _stage(conn, settings, 5, {3: NOT_JSON})
        load(settings)
        replays.run(settings, caller("replays"), Selection())
        _let_time_pass(conn)
        load(settings, "second")

        first = retention.retain(settings, caller("retain"))
        assert first.pruned["ops.replays"] == 0  # the look-ups have not taken it
        _name(settings)
        second = retention.retain(settings, caller("retain"))
        assert second.pruned == {
            "ops.batches": 0,
            "ops.stage_runs": 0,
            "ops.replays": 1,
            "ops.reloads": 0,
            "ops.check_results": 0,
            "ops.rebuilds": 0,
            "ops.incidents": 0,
            "ops.log_minutes": 0,
        }
        marks = watermarks(conn, FOOD.vault)
        assert marks == {LOG: 5, FeedPartition("replays", 0, 0): 1}

    def test_cleared_task_is_one_that_never_took_a_range(
        self, settings: Settings, conn: Connection
    ) -> None:
        _stage(conn, settings, 5)
        load(settings, "old")
        load(settings, "newer")
        # A thousand younger batches; only these are kept by number.
        conn.execute(
            "INSERT INTO ops.batches (stage_run_id, stage, is_repeat, load_dt, counts)"
            " SELECT max(r.stage_run_id), 'vault', TRUE, now(), '{}'"
            " FROM ops.stage_runs AS r, generate_series(1, 1000) AS n GROUP BY n"
        )
        _let_time_pass(conn)
        before = _everything(conn)

        would = retention.retain(settings, caller("retain"), dry_run=True)
        done = retention.retain(settings, caller("retain"))

        assert done.pruned["ops.batches"] == would.pruned["ops.batches"] == 1
        assert done.pruned["ops.stage_runs"] == 1
        outcome = load(settings, "old")["vault"]
        assert (outcome.batches, outcome.ranges) == (0, {})
        assert _everything(conn) == before

    def test_keeps_minutes_of_logs_for_eight_days(
        self, settings: Settings, conn: Connection
    ) -> None:
        conn.execute(
            "INSERT INTO ops.log_minutes SELECT now() - n * interval '1 day', 't', 0,"
            " 0, now(), 0, 0, 0, 0, 0 FROM generate_series(6, 10) AS n"
        )

        done = retention.retain(settings, caller("retain"))

        # At eight days sharp the row is gone by the time of the query.
        assert done.pruned["ops.log_minutes"] == 3
        (left,) = conn.execute("SELECT count(*) FROM ops.log_minutes").fetchone() or ()
        assert left == 2

    def test_is_not_for_the_last_week(self, conn: Connection) -> None:
        with pytest.raises(InvalidParameterValue):
            conn.execute("SELECT ops.prune(now() - interval '6 days')")


class TestCommand:
    """``palate storage``, as a person calls it."""

    def test_shows_and_retains(self, settings: Settings, conn: Connection) -> None:
        _stage(conn, settings, 15)
        load(settings)
        _name(settings)

        would = _call(settings, "storage", "retain", "--dry-run")
        assert "partitions would be dropped: stg.order_events_" in would.output
        done = _call(settings, "storage", "retain", "--json")
        assert [
            (item["from_offset"], item["to_offset"])
            for item in json.loads(done.output)["dropped"]
        ] == [(0, 10)]
        shown = _call(settings, "storage", "show").output
        assert "stage drain stands at offset 15" in shown
        assert "shell shell__" in shown
        found = json.loads(_call(settings, "storage", "show", "--json").output)
        assert [item["dropped_by"][:5] for item in found["dropped"]] == ["shell"]


def _stage(
    conn: Connection,
    settings: Settings,
    number: int,
    instead: dict[int, bytes] | None = None,
    broker_dt: datetime = BROKER_DT,
    partition: int = 0,
    start: int = 0,
) -> None:
    messages = [
        Message(
            TOPIC,
            0,
            partition,
            at,
            broker_dt + timedelta(seconds=at),
            (instead or {}).get(at) or example(Form.RAW, {"object_id": at}),
        )
        for at in range(start, start + number)
    ]
    stage_messages(conn, messages, settings=settings)


def _name(settings: Settings) -> None:
    """Run the stage that notes unknown ids, without asking a Redis for them."""
    dictionaries._name_unknown(settings, FOOD, caller("dictionaries"))


def _make_new(conn: Connection, table: str) -> None:
    conn.execute(
        "UPDATE ops.definitions SET filled_dt = NULL WHERE name = %s", (table,)
    )


def _let_time_pass(conn: Connection) -> None:
    for table, column in (
        ("batches", "committed_dt"),
        ("stage_runs", "started_dt"),
        ("replays", "asked_dt"),
    ):
        conn.execute(f"UPDATE ops.{table} SET {column} = {column} - interval '91 days'")


def _copy_one(conn: Connection, offset: int) -> None:
    conn.execute(
        "INSERT INTO stg.order_events (topic, epoch, kafka_partition, kafka_offset,"
        " broker_dt, staged_dt) VALUES (%s, 0, 0, %s, now(), now())",
        (TOPIC, offset),
    )


def _bounds(conn: Connection) -> list[Any]:
    return conn.execute(
        "SELECT from_offset, to_offset FROM ops.event_partitions"
        " WHERE dropped_dt IS NULL ORDER BY 1"
    ).fetchall()


def _offsets(conn: Connection) -> list[int]:
    rows = conn.execute("SELECT kafka_offset FROM stg.order_events ORDER BY 1")
    return [offset for (offset,) in rows]


def _everything(conn: Connection) -> list[Any]:
    tables = ["stg.rejected_messages", "dds.s_order_version", "dds.s_order_item"]
    tables += ["dds.h_order", "cdm.user_product_counters"]
    tables += ["cdm.user_category_counters"]
    return [
        conn.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1").fetchall()
        for table in tables
    ]


def _call(settings: Settings, *arguments: str) -> Any:
    environment = {
        "DWH_DSN": settings.dwh_dsn.get_secret_value(),
        "PALATE_TOPICS": json.dumps(settings.palate_topics),
        "PALATE_STG_KEEP_DAYS": str(settings.palate_stg_keep_days),
        "COLUMNS": "200",
    }
    return CliRunner().invoke(app, list(arguments), env=environment)
