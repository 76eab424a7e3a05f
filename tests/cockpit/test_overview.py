"""The overview: what it shows is what ``palate status`` shows at the same moment."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from html import unescape
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient
from psycopg import Connection
from typer.testing import CliRunner

from palate.cli.app import app as shell
from palate.errors import PositionGapError
from palate.incidents import Kind, begin
from palate.monitoring.watch import Watch
from palate.pipelines import run_pipeline
from palate.reads import overview
from palate.settings import Settings
from tests.cockpit.conftest import as_role, make_app
from tests.integration.broker import Broker
from tests.unit.model.stories import line, raw
from tests.warehouses import environment_of

ORDERS = [raw(number, [line("d")]).value for number in range(3)]
MART = "user_category_counters"
# What both must show alike, and what of a log.
_SAME = (
    *("refused", "waiting_ids", "waiting_tags", "unpublished"),
    *("last_batches", "filling"),
)
_SAME_OF_A_LOG = ("end_offset", "lag", "staged", "loaded", "marts", "why_stopped")
_SECONDS = 10.0  # between the two looks, at the very most


@pytest.fixture
def broker(warehouse: Settings) -> Iterator[Broker]:
    admin = KafkaAdminClient(bootstrap_servers=warehouse.kafka_bootstrap)
    yield Broker(warehouse, admin)
    admin.close()


class Both:
    """The page and the shell over one warehouse, asked one after the other."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app = make_app(settings)
        viewer = as_role(self._app, "viewer")
        environment = environment_of(settings) | {
            "PALATE_KAFKA_TIMEOUT": str(settings.palate_kafka_timeout)
        }
        told = CliRunner().invoke(shell, ["status", "--json"], env=environment)
        self.shell: dict[str, Any] = json.loads(told.stdout)
        self.page: dict[str, Any] = viewer.get("/api/v1/").json()
        self.line: dict[str, Any] = viewer.get("/api/v1/line").json()
        self.html = viewer.get("/").text
        self._app.state.sessions.close()

    @property
    def tiles(self) -> dict[str, tuple[str, str]]:
        """Return each answer: how well it is, and in which words."""
        return {one["name"]: (one["state"], one["value"]) for one in self.page["tiles"]}

    def steps(self, area: str = "food") -> dict[str, list[int]]:
        """Return how much waits at each step."""
        (found,) = (one for one in self.page["areas"] if one["area"] == area)
        return {
            step["name"]: [wait["number"] for wait in step["waits"]]
            for step in found["steps"]
        }

    def lag(self, topic: str) -> int:
        """Return how far a topic is behind, as the shell says."""
        return sum(one["lag"] for one in self.shell["logs"] if one["topic"] == topic)

    def row(self, topic: str, partition: int = 0) -> str:
        """Return the text of a log's row."""
        found = re.search(
            rf'<tr id="log-{re.escape(topic)}-0-{partition}">(.*?)</tr>',
            self.html,
            re.DOTALL,
        )
        assert found
        return _text(found[1])

    def agree(self) -> None:
        """Compare all that both show, while the watch runs."""
        status = self.page["status"]
        for name in _SAME:
            assert status[name] == self.shell[name], name
        logs = {(one["topic"], one["partition"]): one for one in status["logs"]}
        for one in self.shell["logs"]:
            own = logs.pop((one["topic"], one["partition"]))
            assert [own[name] for name in _SAME_OF_A_LOG] == [
                one[name] for name in _SAME_OF_A_LOG
            ]
            _assert_near(own["oldest_waiting_seconds"], one["oldest_waiting_seconds"])
            assert f" {one['lag']} " in self.row(one["topic"], one["partition"])
        assert logs == {}
        assert status["unseen"] == self.shell["unseen"]
        for own, one in zip(status["promises"], self.shell["promises"], strict=True):
            _assert_near(own.pop("waiting_seconds"), one.pop("waiting_seconds"))
            assert own == one
        assert status["problems"] == self.shell["problems"]
        shown = _plain(_text(self.html))
        sentence = self.line["sentence"].split(", the oldest")[0]
        said = [*self.shell["problems"], sentence]
        assert [one for one in said if _plain(one) not in shown] == []
        assert self.page["line"]["sentence"].startswith(sentence)
        assert self.page["line"]["state"] == self.line["state"]


def _text(html: str) -> str:
    words = unescape(re.sub(r"<[^>]*>", " ", html)).split()
    return f" {' '.join(words)} "


def _plain(text: str) -> str:
    """Return text without spaces and quotes: links and code in it stand for some."""
    return text.replace(" ", "").replace("`", "")


def _assert_near(one: float | None, other: float | None) -> None:
    assert (one is None) == (other is None)
    assert one is None or one == pytest.approx(other, abs=_SECONDS)


@pytest.fixture
def watch(warehouse: Settings) -> Watch:
    return Watch(warehouse, lambda _: None)


def test_all_is_well_where_nothing_was_sent(warehouse: Settings, watch: Watch) -> None:
    watch.once()
    both = Both(warehouse)
    both.agree()
    assert both.line["state"] == "good"
    assert both.line["sentence"] == "All messages are in the marts."
    assert {state for state, _ in both.tiles.values()} == {"good"}
    assert "There is no batch yet" in both.html


def test_messages_wait_to_be_read(
    warehouse: Settings, watch: Watch, broker: Broker
) -> None:
    broker.send(ORDERS)
    watch.once()
    both = Both(warehouse)
    both.agree()
    assert both.tiles["lag"] == ("good", "3 behind")
    assert both.steps()["STG"] == [3]
    assert f"{broker.raw} is 3 messages behind, the oldest for" in both.line["sentence"]
    assert "3 to read" in both.row(broker.raw)

    list(run_pipeline(warehouse))
    watch.once()
    both = Both(warehouse)
    both.agree()
    assert both.tiles["lag"] == ("good", "Nothing waits")
    assert both.line["sentence"] == "All messages are in the marts."
    assert "There is no batch yet" not in both.html


def test_one_mart_is_behind(
    warehouse: Settings, watch: Watch, broker: Broker, connection: Connection
) -> None:
    broker.send(ORDERS)
    list(run_pipeline(warehouse))
    connection.execute(
        "UPDATE ops.watermarks SET next_offset = next_offset - 2"
        " WHERE (stage, topic) = (%s, %s)",
        (f"mart:{MART}", broker.raw),
    )
    watch.once()
    both = Both(warehouse)
    both.agree()
    assert both.steps()["STG"] == both.steps()["Vault"] == [0]
    assert sorted(both.steps()["Marts"]) == [0, 2]
    assert f"2 to count in {MART}" in both.row(broker.raw)


def test_refused_messages_wait_for_somebody(
    warehouse: Settings, watch: Watch, broker: Broker
) -> None:
    broker.send([*ORDERS, b"no order", b"none either"])
    list(run_pipeline(warehouse))
    watch.once()
    both = Both(warehouse)
    both.agree()
    assert both.tiles["refused"] == ("warn", "2")
    assert "not_json 2" in both.html
    assert both.line["state"] == "warn"
    assert "2 refused messages are not dismissed" in both.line["sentence"]


def test_incident_is_open(
    warehouse: Settings, watch: Watch, connection: Connection
) -> None:
    message = "Rows differ<b>. See docs/operations.md, 'A check found rows'."
    begin(connection, Kind.CHECK, "a_check", message)
    watch.once()
    both = Both(warehouse)
    both.agree()
    assert both.tiles["incidents"] == ("bad", "1")
    assert both.line["state"] == "bad"
    assert 'href="/help#a-check-found-rows"' in both.html
    assert "differ<b>" not in both.html


def test_log_is_stopped(warehouse: Settings, watch: Watch, broker: Broker) -> None:
    broker.send(ORDERS)
    list(run_pipeline(warehouse))
    broker.send(ORDERS)
    broker.delete_records(before=5)
    with suppress(PositionGapError):
        list(run_pipeline(warehouse))
    watch.once()
    both = Both(warehouse)
    both.agree()
    assert "offsets 3 to 4 are gone" in both.row(broker.raw)
    assert both.tiles["lag"][0] == both.line["state"] == "bad"


def test_mart_is_being_filled(
    warehouse: Settings, watch: Watch, broker: Broker, connection: Connection
) -> None:
    broker.send(ORDERS)
    list(run_pipeline(warehouse))
    connection.execute(
        "UPDATE ops.definitions SET filled_dt = NULL WHERE name = %s", (MART,)
    )
    connection.execute(
        "UPDATE ops.watermarks SET next_offset = 1 WHERE (stage, topic) = (%s, %s)",
        (f"mart:{MART}", broker.raw),
    )
    watch.once()
    both = Both(warehouse)
    both.agree()
    assert both.tiles["lag"] == ("good", "Nothing waits")
    assert "1 new table is being filled from the history" in both.line["sentence"]
    assert re.search(rf"{MART} 1 of \d+ It lacks rows", _text(both.html))


def test_rebuild_is_under_way(
    warehouse: Settings, watch: Watch, broker: Broker, connection: Connection
) -> None:
    broker.send(ORDERS)
    list(run_pipeline(warehouse))
    connection.execute("SELECT ops.begin_rebuild('orders_history_reload', 'r1', 'x')")
    connection.execute(
        "UPDATE ops.watermarks SET next_offset = 2"
        " WHERE (stage, topic) = ('rebuild:vault', %s)",
        (broker.raw,),
    )
    watch.once()
    both = Both(warehouse)
    both.agree()
    assert re.search(r"vault and marts 2 of \d+ ", _text(both.html))
    assert "dags/orders_history_reload/runs/r1" in both.html


def test_silent_watch_is_never_green(
    warehouse: Settings, watch: Watch, broker: Broker, connection: Connection
) -> None:
    broker.send(ORDERS)
    both = Both(warehouse)
    assert both.lag(broker.raw) == 3  # which nobody has noted
    for name in ("promise", "lag", "incidents"):
        assert both.tiles[name][0] == "warn"
    assert "The watch has never run" in both.line["sentence"]
    assert "All messages are in the marts" not in _text(both.html)

    watch.once()
    connection.execute("UPDATE ops.watch SET looked_dt = looked_dt - interval '5 min'")
    broker.send(ORDERS)
    both = Both(warehouse)
    assert both.lag(broker.raw) == 6
    assert both.tiles["lag"] == ("warn", "At least 3 behind")
    assert f"{broker.raw} is at least 3 messages behind" in both.line["sentence"]
    assert "The watch has not run since" in both.line["sentence"]
    assert both.page["status"]["problems"] == both.shell["problems"]


def test_topic_that_is_not_seen_is_never_green(
    warehouse: Settings, broker: Broker
) -> None:
    topics = {"no-such-topic": "raw", **warehouse.palate_topics}
    settings = warehouse.model_copy(update={"palate_topics": topics})
    broker.send(ORDERS)
    Watch(settings, lambda _: None).once()
    both = Both(settings)
    for name in ("promise", "lag"):
        assert both.tiles[name][0] == "warn"
    assert "The watch does not see no-such-topic" in both.line["sentence"]
    assert "no-such-topic nothing was read of it" in _text(both.html)
    assert both.shell["unseen"] == both.page["status"]["unseen"] == ["no-such-topic"]
    assert both.tiles["lag"][1] == "At least 3 behind"


def test_log_shows_where_it_is_going(
    warehouse: Settings, watch: Watch, broker: Broker, connection: Connection
) -> None:
    broker.send(ORDERS)
    watch.once()
    # As if the watch had looked a minute ago too, when nothing had come.
    connection.execute(
        "INSERT INTO ops.log_minutes SELECT minute_dt - interval '1 min', topic, epoch,"
        " kafka_partition, looked_dt - interval '1 min', 0, 0, 0, 0, 0"
        " FROM ops.log_minutes WHERE topic = %s",
        (broker.raw,),
    )
    both = Both(warehouse)
    both.agree()
    row = both.row(broker.raw)
    assert "behind in the last hour, at most 3" in row
    assert "behind in the last day, at most 3" in row
    assert " 0.1 0.0 it grows " in row  # 3 a minute have come, and none was loaded
    assert '<polyline vector-effect="non-scaling-stroke"' in both.html


def test_broker_is_away(warehouse: Settings, watch: Watch, broker: Broker) -> None:
    broker.send(ORDERS)
    watch.once()
    away = {"kafka_bootstrap": "127.0.0.1:1", "palate_kafka_timeout": 1.0}
    both = Both(warehouse.model_copy(update=away))
    problem = both.shell["problems"].pop()
    assert "127.0.0.1:1" in problem
    both.agree()
    assert both.tiles["lag"] == ("good", "3 behind")


def test_broken_promise_is_bad(
    warehouse: Settings, watch: Watch, broker: Broker, connection: Connection
) -> None:
    broker.send(ORDERS)
    watch.once()
    connection.execute("UPDATE ops.log_ends SET seen_dt = seen_dt - interval '200 s'")
    watch.once()
    both = Both(warehouse)
    both.agree()
    assert both.tiles["promise"] == ("bad", "Broken")
    assert both.tiles["lag"][0] == "bad"
    assert "behind, the oldest for 3 min" in both.line["sentence"]
    assert "food: the oldest waits for 3 min" in _text(both.html)


def test_long_queues_are_counted_so_far(
    warehouse: Settings,
    watch: Watch,
    broker: Broker,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker.send([b"no order"] * 5)
    list(run_pipeline(warehouse))
    connection.execute(
        "INSERT INTO ops.tags_waiting SELECT gen_random_uuid(), 'vip'"
        " FROM generate_series(1, 5)"
    )
    connection.execute(
        "INSERT INTO ops.counters_waiting SELECT gen_random_uuid()"
        " FROM generate_series(1, 5) AS g, generate_series(1, 2)"
    )
    watch.once()
    monkeypatch.setattr(overview, "MOST", 2)
    both = Both(warehouse)
    shown = _text(both.html)
    assert both.tiles["refused"] == ("warn", "More than 2")
    assert "more than 2 tags of guests to evaluate" in shown
    assert "more than 2 guests' counters" in shown
    assert both.shell["refused"] == {"not_json": 5}
    assert both.shell["waiting_tags"] == 5

    monkeypatch.setattr(overview, "MOST", 5)
    both = Both(warehouse)
    assert both.tiles["refused"] == ("warn", "5")
    assert both.steps()["Tags"] == [5]


def test_cost_does_not_grow_with_what_is_kept(
    warehouse: Settings,
    watch: Watch,
    broker: Broker,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker.send([*ORDERS, b"no order"])
    list(run_pipeline(warehouse))
    broker.send(ORDERS)
    watch.once()
    for table, rows in _MANY.items():
        connection.execute(f"INSERT INTO {table} {rows}", {"topic": broker.raw})
    connection.execute("ANALYZE")
    monkeypatch.setattr(overview, "MOST", 20)
    app = make_app(warehouse)
    for conn in app.state.sessions.read():
        found = overview.overview(conn, warehouse)
        # A table is read by a scan, or by an index.
        read = conn.execute(
            "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0)"
            " FROM pg_stat_xact_user_tables WHERE seq_scan + coalesce(idx_scan, 0) > 0"
        ).fetchall()
    app.state.sessions.close()
    assert found.line.state == "warn"
    names = {table.partition(".")[2] for table in _MANY}
    assert names <= {name for name, _ in read} | {"check_results"}
    assert {name: rows for name, rows in read if rows > _FEW} == {}


# Far more rows than a page may read: (table, what fills it).
_FEW = 500
_MANY = {
    "ops.stage_runs": "(stage, dag_id, run_id, task_id, map_index, try_number)"
    " SELECT 'vault', 'd', 'r' || n, 't', -1, 1 FROM generate_series(1, 3000) AS n",
    "ops.batches": "(stage_run_id, stage, is_repeat, load_dt, counts)"
    " SELECT stage_run_id, stage, false, now(), '{}' FROM ops.stage_runs",
    "ops.batch_ranges": "SELECT batch_id, %(topic)s, 0, 0, 1, 2 FROM ops.batches"
    " ON CONFLICT DO NOTHING",
    "ops.incidents": "(kind, subject, message, ended_dt, told_dt, end_told_dt)"
    " SELECT 'check', 's', 'm', now(), now(), now() FROM generate_series(1, 3000)",
    "ops.check_results": "(dag_id, run_id, check_name, subject, severity, outcome,"
    " found, examples, note, seconds) SELECT 'd', 'r', 'c', 's', 'fail', 'passed', 0,"
    " '[]', '', 0 FROM generate_series(1, 3000)",
    "ops.log_ends": "SELECT topic, epoch, kafka_partition, end_offset + n, now()"
    " FROM ops.log_ends, generate_series(1, 3000) AS n",
    "ops.log_minutes": "SELECT minute_dt - n * interval '1 min', topic, epoch,"
    " kafka_partition, looked_dt, 1, 1, 1, 0, 0 FROM ops.log_minutes,"
    " generate_series(1500, 9000) AS n",  # older than a day
    "ops.tags_waiting": "SELECT gen_random_uuid(), 'v' FROM generate_series(1, 3000)",
    "ops.counters_waiting": "SELECT gen_random_uuid() FROM generate_series(1, 3000)",
    "ops.order_waits": "SELECT n, gen_random_uuid() FROM generate_series(1, 3000) AS n",
    "ops.tag_outbox": "SELECT n, gen_random_uuid(), n, '[]', now()"
    " FROM generate_series(1, 3000) AS n",
    "ops.dictionary_lookups": "SELECT n, now(), 1, now(), now(), 'p'"
    " FROM generate_series(1, 3000) AS n",
    "stg.rejected_messages": "SELECT %(topic)s, 0, 0, 100 + n, 'not_json', 'd', now()"
    " FROM generate_series(1, 30000) AS n",
}
