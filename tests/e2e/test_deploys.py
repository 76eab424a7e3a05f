"""Other definitions are deployed while orders come: new ones, and refused ones."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.stack import Stack
from tests.e2e.airflow_api import AirflowApi, until
from tests.e2e.runs import Dwh
from tests.e2e.shop import Guest
from tests.model.compare import actual, assert_equal

pytestmark = pytest.mark.slow

SATELLITE = """description: The bonuses of an order, for a test.
parent: h_order
source: [orders]
payload:
  bonus_payment: numeric
  bonus_grant: numeric
"""
MART = "dishes_of_guests"


class Deployment:
    """What Airflow runs, as somebody deploys it."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        """Describe it."""
        self.sql = folder / "sql"
        self._env = os.environ | env | {"PYTHONPATH": str(folder / "include")}

    def palate(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run its command, as the owner of the warehouse."""
        code = "from palate.cli import app; app()"
        return subprocess.run(
            [sys.executable, "-c", code, *words],
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def deployment(stack: Stack, checkout: Path, dwh: Dwh) -> Iterator[Deployment]:
    """Give the deployment, and take back whatever the test does to it."""
    shutil.copytree(checkout / "sql", kept := checkout / "sql before")
    yield Deployment(checkout, stack.env())
    shutil.rmtree(checkout / "sql")
    kept.rename(checkout / "sql")
    pattern = f"{MART}|s_order_bonus"
    made = (
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relname ~ %s"
    )
    for (table,) in dwh.execute(made, (pattern,)).fetchall():
        dwh.execute(f"DROP TABLE {table}")
    dwh.execute("DELETE FROM ops.definitions WHERE name ~ %s", (pattern,))
    dwh.execute("DELETE FROM ops.watermarks WHERE stage ~ %s", (pattern,))


def test_new_satellite_and_mart_are_filled_while_orders_come(
    airflow: AirflowApi,
    dwh: Dwh,
    guest: Guest,
    deployment: Deployment,
    stack: Stack,
) -> None:
    guest.order([guest.pizza])
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    satellites = deployment.sql / "dds" / "satellites"
    (satellites / "s_order_bonus.yaml").write_text(SATELLITE)
    mart = deployment.sql / "cdm" / MART
    shutil.copytree(mart.with_name("user_product_counters"), mart)
    for path in mart.iterdir():
        text = path.read_text().replace("user_product_", f"{MART}_")
        path.write_text(text.replace("tag_kind: product\n", ""))

    made = deployment.palate("migrate")

    assert made.stdout.startswith("Made s_order_bonus, dishes_of_guests"), made.stderr
    assert "s_order_bonus is new and being filled" in deployment.palate("status").stdout
    live = Guest(stack.env())
    live.enter_dictionaries()
    live.order([live.pizza])
    until(lambda: live.counted(dwh, 1), "an order that came meanwhile")

    def is_filled() -> bool:
        airflow.over(airflow.trigger({}).json()["dag_run_id"])
        return not dwh.execute("SELECT FROM ops.v_filling").fetchall()

    # The new task is in the runs once the file with the DAG has been read again.
    until(is_filled, "all of the history in the new tables")
    orders = _rows(dwh, "SELECT order_id FROM dds.s_order_version")
    assert _rows(dwh, "SELECT order_id FROM dds.s_order_bonus") == orders
    counters = "SELECT user_id, product_id, order_cnt, amount FROM cdm.{}"
    assert _rows(dwh, counters.format(MART)) == _rows(
        dwh, counters.format("user_product_counters")
    )
    assert "new and being filled" not in deployment.palate("status").stdout
    assert deployment.palate("reconcile").returncode == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "red"),
    [
        pytest.param(
            "dds/satellites/s_order_cost.yaml",
            "bonus_grant: numeric",
            "granted: {type: numeric, from: bonus_grant}",
            "vault",
            id="payload",
        ),
        pytest.param(
            "cdm/user_category_counters/contributions.sql",
            "sum(i.quantity * i.price)",
            "sum(i.price)",
            "user_category_counters",
            id="query of a mart",
        ),
    ],
)
def test_definition_that_changes_a_meaning_is_refused_before_a_row_is_added(
    airflow: AirflowApi,
    dwh: Dwh,
    guest: Guest,
    deployment: Deployment,
    file: str,
    old: str,
    new: str,
    red: str,
) -> None:
    guest.order([guest.pizza])
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    before = actual(dwh)
    path = deployment.sql / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

    run_id = airflow.trigger({}).json()["dag_run_id"]

    assert airflow.over(run_id)["state"] == "failed"
    assert airflow.tasks(run_id)[red]["state"] == "failed"
    assert "differs from what" in (said := airflow.log(run_id, red))
    assert "Put the old definition back" in said
    assert_equal(before, actual(dwh))
    guest.order([guest.pizza], number=1)
    until(lambda: _is_staged(dwh, guest, 2), "the next order in STG")
    path.write_text(text)
    airflow.over(airflow.trigger({}).json()["dag_run_id"])
    until(lambda: guest.counted(dwh, 2), "what waited in the marts")


def _rows(dwh: Dwh, query: str) -> list[tuple[Any, ...]]:
    return sorted(dwh.execute(query).fetchall())


def _is_staged(dwh: Dwh, guest: Guest, orders: int) -> bool:
    query = (
        "SELECT count(*) FROM stg.order_events WHERE position(%s::bytea IN message) > 0"
    )
    return dwh.execute(query, (guest.id.encode(),)).fetchone() == (orders,)
