"""Acts on the pages in Airflow's UI, by their buttons, to their end in the data."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import expect

from palate.engine.outcome import Caller
from palate.settings import Settings
from palate.vault import stage as vault
from tests.browser.lean_airflow import LeanAirflow
from tests.browser.ui import Ui
from tests.food import FOOD
from tests.integration.staged import stage_messages
from tests.model.history import Message
from tests.unit.model.stories import raw

OpenUi = Callable[..., Ui]
Dwh = psycopg.Connection[Any]
_FIRST = 30  # behind those that other tests look at
_WHY = "sent <b>again</b>"

# The machine may be busy.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def dwh(shop: Settings) -> Iterator[Dwh]:
    """Connect to the warehouse, in which four more messages are refused."""
    with psycopg.connect(shop.dwh_dsn.get_secret_value(), autocommit=True) as conn:
        broker_dt = raw(1).broker_dt
        stage_messages(
            conn,
            [
                Message(*raw(1, offset=_FIRST + n).position, broker_dt, b"{")
                for n in range(4)
            ],
        )
        vault.run(shop, FOOD, Caller("orders_stream", "of the acts", "vault"))
        yield conn


def test_one_message_and_some_are_dismissed(open_ui: OpenUi, dwh: Dwh) -> None:
    ui = open_ui()
    frame = ui.open("/refused")
    rows = frame.get_by_role("row").filter(has_text=f": {_FIRST}")
    rows.get_by_role("link").first.click()
    frame.get_by_role("button", name="Dismiss …").click()
    _dismiss(ui)
    assert _dismissed(dwh) == [(_FIRST, "user", _WHY)]

    frame = ui.open("/refused")
    for offset in (_FIRST + 1, _FIRST + 2):
        frame.get_by_role("row").filter(has_text=f": {offset}").get_by_role(
            "checkbox"
        ).check()
    frame.get_by_role("button", name="Dismiss 2 selected").click()
    _dismiss(ui)
    assert [offset for offset, *_ in _dismissed(dwh)] == [
        _FIRST,
        _FIRST + 1,
        _FIRST + 2,
    ]


def test_selected_message_is_replayed(
    open_ui: OpenUi, dwh: Dwh, lean: LeanAirflow
) -> None:
    frame = open_ui().open("/refused")
    row = frame.get_by_role("row").filter(has_text=f": {_FIRST + 3}")
    row.get_by_role("checkbox").check()
    frame.get_by_role("button", name="Replay 1 selected").click()
    frame.get_by_role("dialog").get_by_role("button", name="Replay").click()
    expect(frame.locator("#said")).to_contain_text("of rejected_replay has begun")
    (run,) = _runs(lean, "rejected_replay")
    assert run["conf"]["positions"].endswith(f": {_FIRST + 3}")
    assert run["triggering_user_name"] == "user"


def test_rule_is_changed_switched_off_and_removed(open_ui: OpenUi, dwh: Dwh) -> None:
    frame = open_ui().open("/tags")
    frame.get_by_role("button", name="Add a rule").click()
    form = frame.get_by_role("dialog")
    form.get_by_label("Tag, as the app shows it").fill("often")
    form.get_by_label("From how many orders on").fill("3")
    form.get_by_label("Of a").select_option("category")
    form.get_by_label("Its exact name").fill("Soup")
    form.get_by_role("button", name="Add").click()
    expect(frame.locator("#said")).to_contain_text("was added")
    assert _rule(dwh) == (3, True)

    row = frame.get_by_role("row").filter(has_text="often").first
    row.get_by_role("button", name="Change").click()
    form.get_by_label("From how many orders on").fill("4")
    form.get_by_role("button", name="Change").click()
    expect(frame.locator("#said")).to_contain_text("was changed")
    assert _rule(dwh) == (4, True)

    row.get_by_role("button", name="Change").click()
    form.get_by_label("Switched on").uncheck()
    form.get_by_role("button", name="Change").click()
    expect(row).to_contain_text("switched off")
    assert _rule(dwh) == (4, False)

    row.get_by_role("button", name="Remove").click()
    expect(form.get_by_text("No guest would gain or lose a tag")).to_be_visible()
    form.get_by_role("button", name="Remove").click()
    expect(frame.locator("#said")).to_contain_text("was removed")
    assert _rule(dwh) is None


def test_checks_are_run_now(open_ui: OpenUi, lean: LeanAirflow) -> None:
    frame = open_ui().open("/checks")
    frame.get_by_role("button", name="Check now").click()
    frame.get_by_role("dialog").get_by_role("button", name="Check now").click()
    expect(frame.locator("#said")).to_contain_text("of warehouse_checks has begun")
    assert len(_runs(lean, "warehouse_checks")) == 1


def _dismiss(ui: Ui) -> None:
    form = ui.frame.get_by_role("dialog")
    form.get_by_label("Why nobody misses them").fill(_WHY)
    form.get_by_role("button", name="Dismiss").click()
    expect(ui.frame.locator("#said")).to_contain_text("Dismissed")


def _dismissed(dwh: Dwh) -> list[tuple[Any, ...]]:
    return dwh.execute(
        "SELECT kafka_offset, dismissed_by, dismissed_why FROM stg.rejected_messages"
        " WHERE dismissed_dt IS NOT NULL ORDER BY kafka_offset"
    ).fetchall()


def _rule(dwh: Dwh) -> tuple[Any, ...] | None:
    return dwh.execute(
        "SELECT threshold, active FROM cdm.tag_rules WHERE tag = 'often'"
    ).fetchone()


def _runs(lean: LeanAirflow, dag: str) -> list[dict[str, Any]]:
    answer = httpx.get(
        f"{lean.url}/api/v2/dags/{dag}/dagRuns",
        headers={"Authorization": f"Bearer {lean.token('admin')}"},
        timeout=60,
    )
    found: list[dict[str, Any]] = answer.raise_for_status().json()["dag_runs"]
    return found
