"""Other definitions are deployed while orders come: new ones, and refused ones."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.local.stack import Stack
from tests.checkout import Checkout
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


@pytest.fixture
def deployment(deployed: Checkout, dwh: Dwh) -> Iterator[Checkout]:
    """Give the deployment, and take back whatever the test does to it."""
    shutil.copytree(deployed.root / "sql", kept := deployed.root / "sql before")
    yield deployed
    shutil.rmtree(deployed.root / "sql")
    kept.rename(deployed.root / "sql")
    made = "SELECT name FROM ops.definitions WHERE name = ANY(%s)"
    for (name,) in dwh.execute(made, ([MART, "s_order_bonus"],)).fetchall():
        dropped = deployed.palate("drop", name, "--yes")
        assert dropped.returncode == 0, dropped.stderr


def test_new_satellite_and_mart_are_filled_while_orders_come(
    airflow: AirflowApi,
    dwh: Dwh,
    guest: Guest,
    deployment: Checkout,
    stack: Stack,
) -> None:
    guest.order([guest.pizza])
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    deployment.write("satellites/s_order_bonus.yaml", SATELLITE)
    deployment.add_mart(MART)

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
            "areas/food/dds/satellites/s_order_cost.yaml",
            "bonus_grant: numeric",
            "granted: {type: numeric, from: bonus_grant}",
            "vault",
            id="payload",
        ),
        pytest.param(
            "areas/food/cdm/user_category_counters/contributions.sql",
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
    deployment: Checkout,
    file: str,
    old: str,
    new: str,
    red: str,
) -> None:
    guest.order([guest.pizza])
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    before = actual(dwh)
    text = (path := deployment.root / "sql" / file).read_text()
    assert old in text
    deployment.change(file, old, new)

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
