"""A second area beside the orders, in a running Airflow: deployed as a folder.

The area is ``tests/areas/reviews``; what it must hold is worked out in plain Python.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from deploy.local.stack import Stack
from tests.areas.reviews import truth, warehouse
from tests.areas.reviews.messages import START, TOPIC, later, messages
from tests.checkout import Checkout
from tests.e2e.airflow_api import AirflowApi, until
from tests.e2e.runs import Dwh, held
from tests.e2e.shop import Guest
from tests.model.history import Message

pytestmark = pytest.mark.slow

AREA = Path(__file__).parents[1] / "areas" / "reviews"
DAG = "reviews_stream"
_TICK = timedelta(minutes=5)
# The names of what it makes, to take it away again.
_MADE = "^(h_review|l_review_|s_review_|restaurant_months|v_review)"


@dataclass
class Reviews:
    """The deployed area, and what was sent to it."""

    airflow: AirflowApi
    dwh: Dwh
    checkout: Checkout
    producer: KafkaProducer
    sent: list[Message] = field(default_factory=list)

    def send(self, more: list[Message]) -> None:
        """Send messages after those that were sent before."""
        new = later(self.sent, more) if self.sent else more
        for one in new:
            self.producer.send(
                one.topic,
                one.value,
                headers=list(one.headers),
                partition=one.partition,
                timestamp_ms=int(one.broker_dt.timestamp() * 1000),
            )
        self.producer.flush()
        self.sent += new

    def problems(self) -> dict[str, Any]:
        """Return the tables that differ from the truth, each with both sides."""
        accepted, refused = truth.judged(self.sent)
        expected, found = truth.tables(accepted), warehouse.tables(self.dwh)
        # Orders name guests and restaurants too.
        for shared in ("h_user", "h_restaurant"):
            found[shared] &= expected[shared]
        differing = {
            name: (rows - found[name], found[name] - rows)
            for name, rows in expected.items()
            if rows != found[name]
        }
        told = warehouse.refused(self.dwh, TOPIC)
        return differing | ({"refused": (refused, told)} if refused != told else {})

    def is_right(self) -> bool:
        """Tell whether the warehouse has just what was sent."""
        return not self.problems()

    def settle(self) -> None:
        """Wait until the warehouse has just what was sent."""
        try:
            until(self.is_right, "the reviews in their mart")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.problems()}") from None

    def damage(self) -> None:
        """Take rows out of each layer, and falsify the mart."""
        for statement in (
            "DELETE FROM stg.order_events WHERE topic = %(topic)s"
            " AND mod(kafka_offset, 3) = 0",
            "DELETE FROM dds.s_review_revision WHERE mod(kafka_offset, 2) = 0",
            "DELETE FROM dds.l_review_user",
            "UPDATE cdm.restaurant_months SET reviews_cnt = reviews_cnt + 1",
        ):
            self.dwh.execute(statement, {"topic": TOPIC})
        assert not self.is_right()


@pytest.fixture(scope="module")
def reviews(stack: Stack, airflow: AirflowApi, deployed: Checkout) -> Iterator[Reviews]:
    """Deploy the folder and the DAG file, and take them away at the end."""
    env, checkout = stack.env(), deployed.root
    shutil.copytree(AREA / "area", checkout / "sql" / "areas" / "reviews")
    shutil.copy(AREA / "dags" / f"{DAG}.py", checkout / "dags")
    admin = KafkaAdminClient(bootstrap_servers=env["KAFKA_BOOTSTRAP"])
    # All that is sent is old.
    forever = {"retention.ms": "-1"}
    admin.create_topics([NewTopic(TOPIC, 2, 1, topic_configs=forever)])
    producer = KafkaProducer(bootstrap_servers=env["KAFKA_BOOTSTRAP"])
    with _connected(env["DWH_DSN"]) as dwh:
        made = deployed.palate("migrate")
        assert "h_review" in made.stdout, made.stderr
        until(lambda: _is_there(airflow, DAG), f"the DAG {DAG}")
        yield Reviews(airflow.of(DAG), dwh, deployed, producer)
        shutil.rmtree(checkout / "sql" / "areas" / "reviews")
        (checkout / "dags" / f"{DAG}.py").unlink()
        until(lambda: not _is_there(airflow, DAG), f"the end of the DAG {DAG}")
        _take_away(dwh)
    producer.close()
    admin.delete_topics([TOPIC])
    admin.close()


def test_reviews_and_orders_come_at_once_and_stay_apart(
    reviews: Reviews, airflow: AirflowApi, guest: Guest
) -> None:
    reviews.send(messages(seed=1))
    guest.order([guest.pizza])

    reviews.settle()
    until(lambda: guest.counted(reviews.dwh, 1), "the order in the marts")
    read = reviews.dwh.execute(
        "SELECT DISTINCT stage, topic = %s FROM ops.watermarks"
        " WHERE stage IN ('drain', 'vault', 'reviews/drain', 'reviews/vault')",
        (TOPIC,),
    ).fetchall()
    assert set(read) >= {("reviews/drain", True), ("drain", False)}
    assert {stage for stage, is_ours in read if is_ours} <= {
        "reviews/drain",
        "reviews/vault",
    }
    status = reviews.checkout.palate("status").stdout
    assert "marts of reviews" in status
    assert "marts of food" in status


def test_run_of_the_bell_is_cleared_and_heals_what_it_took(reviews: Reviews) -> None:
    reviews.send(messages(seed=2))
    reviews.settle()
    # Runs overlap, and the first reload begins with the DAG: what one run has drained,
    # another may have counted.
    (run_id,) = reviews.dwh.execute(
        "SELECT r.run_id FROM ops.batches AS b INNER JOIN ops.stage_runs AS r"
        " USING (stage_run_id) WHERE b.stage = 'mart:restaurant_months'"
        " AND r.dag_id = %s AND NOT b.is_repeat ORDER BY b.batch_id DESC LIMIT 1",
        (DAG,),
    ).fetchone() or ("",)
    reviews.airflow.over(run_id)
    tries = _tries(reviews, run_id)
    falsified = reviews.dwh.execute(
        "UPDATE cdm.restaurant_months AS m SET stars_avg = 0"
        " FROM dds.s_review_revision AS s"
        " WHERE (s.h_restaurant_pk, date_trunc('month', s.written_at)) ="
        " (m.restaurant_id, m.month)"
        " AND (s.topic, s.kafka_partition, s.kafka_offset) IN (SELECT * FROM"
        " unnest(%s::text[], %s::integer[], %s::bigint[]))",
        _counted_by(reviews.dwh, run_id),
    )
    assert falsified.rowcount

    reviews.airflow.clear(run_id)

    until(lambda: _tries(reviews, run_id) > tries, "a repeat")
    assert reviews.airflow.over(run_id)["state"] == "success"
    assert reviews.is_right(), reviews.problems()


def test_backfill_puts_back_what_every_layer_lost(reviews: Reviews) -> None:
    reviews.damage()
    last = max(one.broker_dt for one in reviews.sent)
    first = START.replace(minute=0) + _TICK
    # A tick covers the five minutes before it.
    for hour in sorted({_hour(one.broker_dt) for one in reviews.sent}):
        end = min(hour + timedelta(hours=1), last + _TICK)
        backfill = reviews.airflow.backfill(max(hour + _TICK, first), end)
        reviews.airflow.backfilled(backfill)

    reviews.settle()


def test_weekly_reload_puts_back_what_every_layer_lost(reviews: Reviews) -> None:
    reviews.damage()
    of_reload = reviews.airflow.of("reviews_history_reload")
    form = {"from": "2024-03-25T00:00:00Z", "to": "2024-04-01T00:00:00Z"}

    run_id = of_reload.trigger(form).raise_for_status().json()["dag_run_id"]

    assert of_reload.over(run_id)["state"] == "success"
    layers = of_reload.outcome(run_id, "report")["layers"]
    assert layers.keys() == {"messages", "vault", "restaurant_months"}
    assert all(layer["healed"] for layer in layers.values())
    assert reviews.is_right(), reviews.problems()


def test_rebuild_takes_both_areas_and_gives_equal_tables(
    reviews: Reviews, guest: Guest
) -> None:
    guest.order([guest.pizza])
    until(lambda: guest.counted(reviews.dwh, 1), "the order in the marts")
    reviews.dwh.execute("UPDATE cdm.restaurant_months SET newest_text = 'x'")
    of_reload = reviews.airflow.of("orders_history_reload")

    form = {"mode": "rebuild", "ask": False}
    run_id = of_reload.trigger(form).raise_for_status().json()["dag_run_id"]

    assert of_reload.over(run_id)["state"] == "success", of_reload.log(run_id, "build")
    assert "cdm.restaurant_months" in of_reload.log(run_id, "swap")
    assert reviews.is_right(), reviews.problems()
    assert guest.counted(reviews.dwh, 1)


def test_refused_reviews_are_accepted_once_their_shape_allows_them(
    reviews: Reviews,
) -> None:
    reviews.send(messages(seed=5))
    reviews.settle()
    shape = "areas/reviews/sources/reviews/shape.yaml"
    text = (reviews.checkout.root / "sql" / shape).read_text()
    stars = "stars: {json: number, whole: true, least: 1, most: 5}"
    reviews.checkout.change(shape, stars, stars.replace("most: 5", "most: 9"))
    of_replay = reviews.airflow.of("rejected_replay")
    before = warehouse.refused(reviews.dwh, TOPIC)

    conf = {"topic": TOPIC, "reasons": ["value_out_of_range"]}
    run_id = of_replay.trigger(conf).raise_for_status().json()["dag_run_id"]

    assert of_replay.over(run_id)["state"] == "success"
    accepted = before.keys() - warehouse.refused(reviews.dwh, TOPIC).keys()
    assert {before[position] for position in accepted} == {"value_out_of_range"}
    counted = reviews.dwh.execute("SELECT count(*) FROM dds.v_review WHERE stars > 5")
    assert counted.fetchone() != (0,)
    assert reviews.checkout.palate("reconcile").returncode == 0
    # They stay; the next rebuild would refuse them again by the old shape.
    (reviews.checkout.root / "sql" / shape).write_text(text)


def test_area_that_can_not_go_on_holds_up_no_other(
    reviews: Reviews, airflow: AirflowApi, guest: Guest
) -> None:
    parse = "areas/reviews/sources/reviews/parse/2_review_photos.sql"
    text = (reviews.checkout.root / "sql" / parse).read_text()
    reviews.checkout.change(parse, "r.version_dt", "r.no_such_column")
    run_id = reviews.airflow.trigger({}).json()["dag_run_id"]
    reviews.producer.send(TOPIC, b"{").get(10)
    guest.order([guest.pizza])

    until(lambda: guest.counted(reviews.dwh, 1), "the order in the marts")
    reviews.airflow.over(run_id)
    (reviews.checkout.root / "sql" / parse).write_text(text)

    with held(reviews.dwh, "vault"):
        guest.order([guest.pizza], number=1)
        waiting = "SELECT count(*) FROM stg.rejected_messages WHERE topic = %s"
        before = reviews.dwh.execute(waiting, (TOPIC,)).fetchone()
        reviews.producer.send(TOPIC, b"[").get(10)
        until(
            lambda: reviews.dwh.execute(waiting, (TOPIC,)).fetchone() > before,  # type: ignore[operator]
            "a review that is refused while the orders stand",
        )
    until(lambda: guest.counted(reviews.dwh, 2), "the order that waited")


def _connected(dsn: str) -> Dwh:
    import psycopg

    return psycopg.connect(dsn, autocommit=True)


def _is_there(airflow: AirflowApi, dag: str) -> bool:
    return dag in [one["dag_id"] for one in airflow.get("/dags", limit=100)["dags"]]


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _tries(reviews: Reviews, run_id: str) -> int:
    tries: int = reviews.airflow.tasks(run_id)["restaurant_months"]["try_number"]
    return tries


def _counted_by(dwh: Dwh, run_id: str) -> tuple[list[str], list[int], list[int]]:
    """Return topic, partition and offset of what the mart of a run has counted."""
    rows = dwh.execute(
        "SELECT o.topic, o.kafka_partition,"
        " generate_series(o.from_offset, o.to_offset - 1)"
        " FROM ops.batch_ranges AS o INNER JOIN ops.batches AS b USING (batch_id)"
        " INNER JOIN ops.stage_runs AS r USING (stage_run_id)"
        " WHERE r.run_id = %s AND b.stage = 'mart:restaurant_months'"
        " AND NOT b.is_repeat",
        (run_id,),
    ).fetchall()
    topics, partitions, offsets = zip(*rows, strict=True)
    return list(topics), list(partitions), list(offsets)


def _take_away(dwh: Dwh) -> None:
    """Drop the area's tables, and what the ledger and the registry know of them."""
    tables = (
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relname ~ %s"
        " AND relnamespace IN ('dds'::regnamespace, 'cdm'::regnamespace)"
    )
    for (table,) in dwh.execute(tables, (_MADE,)).fetchall():
        dwh.execute(f"DROP TABLE {table} CASCADE")
    dwh.execute("DELETE FROM ops.definitions WHERE area = 'reviews'")
    dwh.execute(
        "DELETE FROM ops.watermarks WHERE stage ~ '^reviews/' OR topic = %s", (TOPIC,)
    )
    dwh.execute("DELETE FROM ops.watermarks WHERE stage = 'mart:restaurant_months'")
    dwh.execute("DELETE FROM ops.stages WHERE area = 'reviews'")
    dwh.execute("DELETE FROM stg.rejected_messages WHERE topic = %s", (TOPIC,))
