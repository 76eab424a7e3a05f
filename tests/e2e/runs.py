"""Who did what: runs of Airflow, and what the ledger knows of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg

from palate.engine.locks import lock_key
from tests.e2e.airflow_api import OVER, AirflowApi, Json, until
from tests.e2e.shop import TOPIC, Guest, key

Dwh = psycopg.Connection[Any]


def run_that_took(airflow: AirflowApi, dwh: Dwh, guest: Guest) -> Json:
    """Return the run that staged the guest's last message, once it is over."""
    query = (
        "SELECT r.run_id FROM ops.stage_runs AS r"
        " INNER JOIN ops.batches AS b USING (stage_run_id)"
        " INNER JOIN ops.batch_ranges AS o USING (batch_id)"
        " INNER JOIN stg.order_events AS e ON e.topic = o.topic"
        " AND e.kafka_partition = o.kafka_partition"
        " AND e.kafka_offset >= o.from_offset AND e.kafka_offset < o.to_offset"
        " WHERE r.stage = 'drain' AND NOT b.is_repeat"
        " AND position(%s::bytea IN e.message) > 0"
        " ORDER BY e.kafka_offset DESC LIMIT 1"
    )
    row = until(
        lambda: dwh.execute(query, (guest.id.encode(),)).fetchone(),
        "its message in STG",
    )
    return airflow.over(row[0])


def is_quiet(airflow: AirflowApi, *, ticked: datetime | None = None) -> bool:
    """Tell whether no run goes on, nor is about to begin.

    An event that waits for the scheduler will be a run. So will a tick: its run is not
    there in its first moments.

    :param ticked: the last tick, whose run must have been
    """
    if airflow.has_queued_events():
        return False
    runs = airflow.runs()  # after the events: one that has left the queue is here
    ticks = {run["run_after"] for run in runs if run["run_type"] == "scheduled"}
    has_ticked = ticked is None or any(
        datetime.fromisoformat(at) >= ticked for at in ticks
    )
    return has_ticked and all(run["state"] in OVER for run in runs)


def watermarks(dwh: Dwh) -> list[tuple[Any, ...]]:
    """Return where each stage stands in the topic of orders."""
    return dwh.execute(
        "SELECT stage, kafka_partition, next_offset FROM ops.watermarks"
        " WHERE topic = %s ORDER BY stage, kafka_partition",
        (TOPIC,),
    ).fetchall()


def damage(dwh: Dwh, guest: Guest, *, staged: bool = True) -> None:
    """Take a guest's orders out of every layer.

    :param staged: out of STG too; the broker's index of times does not find a record
        that is older than the one before it, so STG has to
    """
    of_guest = "h_user_pk IN (SELECT h_user_pk FROM dds.h_user WHERE user_id = %s)"
    query = f"SELECT order_id FROM dds.s_order_version WHERE {of_guest}"
    orders = [row[0] for row in dwh.execute(query, (guest.id,))]
    assert orders
    for statement in (
        "DELETE FROM dds.s_order_version WHERE order_id = ANY(%s)",
        "DELETE FROM dds.l_order_product WHERE order_id = ANY(%s)",
        "DELETE FROM cdm.user_product_counters_counted WHERE order_id = ANY(%s)",
    ):
        dwh.execute(statement, (orders,))
    if staged:
        dwh.execute(
            "DELETE FROM stg.order_events WHERE position(%s::bytea IN message) > 0",
            (guest.id.encode(),),
        )
    dwh.execute(
        "UPDATE cdm.user_category_counters SET amount = amount + 1 WHERE user_id = %s",
        (key(guest.id),),
    )


@contextmanager
def held(dwh: Dwh, stage: str) -> Iterator[None]:
    """Let a stage's runs wait: another one has its lock."""
    dwh.execute(f"SELECT pg_advisory_lock({lock_key('%s')})", (stage,))
    try:
        yield
    finally:
        dwh.execute(f"SELECT pg_advisory_unlock({lock_key('%s')})", (stage,))
