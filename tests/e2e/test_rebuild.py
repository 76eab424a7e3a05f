"""Vault and marts built anew by a person in Airflow's UI, and what an answer does."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.e2e.airflow_api import AirflowApi, until
from tests.e2e.shop import PRICE, Guest
from tests.model.compare import actual, assert_equal

Dwh = psycopg.Connection[Any]

pytestmark = pytest.mark.slow


def _rebuild(airflow: AirflowApi, **form: Any) -> tuple[AirflowApi, str]:
    of_reload = airflow.of("orders_history_reload")
    started = of_reload.trigger({"mode": "rebuild"} | form).raise_for_status()
    return of_reload, started.json()["dag_run_id"]


def _states(airflow: AirflowApi, run_id: str) -> dict[str, str]:
    return {name: task["state"] for name, task in airflow.tasks(run_id).items()}


def test_differences_are_swapped_once_approved_and_dropped_once_rejected(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza], number=1)
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    before = actual(dwh)
    dwh.execute("UPDATE dds.s_order_cost SET cost = cost + 1")
    dwh.execute("UPDATE cdm.user_product_counters SET order_cnt = order_cnt + 1")
    damaged = actual(dwh)

    of_reload, run_id = _rebuild(airflow)
    of_reload.answer(run_id, "approve", "Reject")
    assert "| dds.s_order_cost |" in of_reload.asked(run_id, "approve")["body"]
    assert of_reload.over(run_id)["state"] == "success"

    assert_equal(damaged, actual(dwh))
    states = _states(of_reload, run_id)
    assert (states["swap"], states["drop_rejected"]) == ("skipped", "success")
    assert (states["messages"], states["report"]) == ("skipped", "skipped")
    assert dwh.execute("SELECT to_regnamespace('dds_rebuild')").fetchone() == (None,)

    of_reload, run_id = _rebuild(airflow)
    until(
        lambda: _states(of_reload, run_id)["approve"] == "awaiting_input",
        "the question",
    )
    guest.order([guest.pizza], number=2)
    two = [("Пицца", 2, 2, Decimal(2 * PRICE))]
    until(lambda: guest.categories(dwh) == two, "an order while the answer is awaited")
    of_reload.answer(run_id, "approve", "Approve")
    assert of_reload.over(run_id)["state"] == "success"

    assert _states(of_reload, run_id)["swap"] == "success"
    assert guest.counted(dwh, 2)
    assert set(before["dds.s_order_cost"]) <= set(actual(dwh)["dds.s_order_cost"])
    assert "have replaced the live ones" in of_reload.log(run_id, "swap")


def test_equal_tables_are_swapped_without_a_question(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza])
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    before = actual(dwh)

    of_reload, run_id = _rebuild(airflow)

    assert of_reload.over(run_id)["state"] == "success"
    states = _states(of_reload, run_id)
    assert (states["approve"], states["swap"]) == ("skipped", "success")
    assert_equal(before, actual(dwh))
