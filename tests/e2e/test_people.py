"""Three people at the pages in Airflow's UI, each from the first click to the data."""

import shlex
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from playwright.sync_api import Browser, expect

from deploy.local.stack import Stack
from palate.incidents import Incident, Kind, is_open, open_incidents
from tests.browser.ui import Ui, chromium
from tests.checkout import Checkout
from tests.e2e.airflow_api import AirflowApi, until
from tests.e2e.runs import Dwh, held
from tests.e2e.shop import TOPIC, Guest

pytestmark = pytest.mark.slow

# The machine may be busy.
expect.set_options(timeout=60_000)

_PARTITION = 2
_SHAPE = "areas/food/sources/orders/shape.yaml"
_MONEY = "money: {json: number, decimals: 5, least: 0, most: 1000000000000}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run a browser."""
    with chromium() as found:
        yield found


@pytest.fixture
def ui(browser: Browser, airflow: AirflowApi) -> Iterator[Ui]:
    """Open Airflow's UI as its administrator."""
    with Ui.opened(browser, airflow.url, airflow.token) as found:
        yield found


def test_operator_finds_the_partition_the_cause_and_the_run_in_three_clicks(
    ui: Ui, stack: Stack, dwh: Dwh, guest: Guest, deployed: Checkout
) -> None:
    guest.order([guest.pizza], partition=_PARTITION)
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    admin = KafkaAdminClient(bootstrap_servers=stack.env()["KAFKA_BOOTSTRAP"])
    with held(dwh, "drain"):
        guest.order([guest.pizza], number=1, partition=_PARTITION)
        admin.delete_records({TopicPartition(TOPIC, _PARTITION): -1})
    admin.close()
    alarm = until(lambda: _gap(dwh), "the alarm")

    ui.page.goto(ui.url)
    ui.page.get_by_test_id("palate-line").get_by_role("link").click()
    row = ui.frame.locator(f"#log-{TOPIC}-0-{_PARTITION}")
    expect(row.locator(".bad").first).to_be_visible()
    assert "are gone" in (row.text_content() or "")

    ui.frame.get_by_role("link", name="Batches", exact=True).click()
    said = ui.frame.locator("p", has_text="drain fails")
    assert "are gone" in (said.text_content() or "")

    run = said.get_by_role("link").first
    run_id = run.text_content() or ""
    run.click()
    ui.page.wait_for_url(f"**/dags/orders_stream/runs/{quote(run_id, safe='')}")

    ui.go("plugin/palate/palate/incidents")
    command = ui.frame.locator("td code").first.text_content() or ""
    program, *arguments = shlex.split(command.replace("...", "asked the sender"))
    assert program == "palate"
    assert deployed.palate(*arguments).returncode == 0
    guest.order([guest.pizza], number=2, partition=_PARTITION)
    until(lambda: guest.counted(dwh, 2), "the order behind the gap")
    until(lambda: not is_open(dwh, alarm.kind, alarm.subject), "the end of the alarm")


def test_engineer_replays_thirty_messages_after_mending_a_shape(
    ui: Ui, dwh: Dwh, guest: Guest, deployed: Checkout
) -> None:
    # Names come with a run of orders_stream, and a replay is none.
    guest.order([guest.pizza], number=30)
    until(lambda: guest.counted(dwh, 1), "the first order in the marts")
    too_strict = _MONEY.replace("1000000000000", "100")
    deployed.change(_SHAPE, _MONEY, too_strict)
    for number in range(30):
        guest.order([guest.pizza], number=number)
    waiting = (
        "SELECT count(*) FROM stg.rejected_messages WHERE reason = 'value_out_of_range'"
    )
    until(lambda: dwh.execute(waiting).fetchone() == (30,), "thirty refused messages")
    deployed.change(_SHAPE, too_strict, _MONEY)

    frame = ui.open("/refused?reason=value_out_of_range")
    frame.get_by_role("button", name="Replay all 30").click()
    frame.get_by_role("dialog").get_by_role("button", name="Replay").click()
    frame.locator("#said").get_by_role("link", name="Open it").click()

    ui.page.wait_for_url("**/dags/rejected_replay/runs/**")
    until(lambda: guest.counted(dwh, 31), "the thirty orders in the marts")
    frame = ui.open("/refused?reason=value_out_of_range")
    expect(frame.get_by_text("No refused message matches")).to_be_visible()


@pytest.mark.usefixtures("without_its_rules")
def test_analyst_makes_a_rule_sees_who_gets_the_tag_and_exports_a_chart(
    ui: Ui, airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza])
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    tag = f"likes {guest.category}"

    frame = ui.open("/tags")
    frame.get_by_role("button", name="Add a rule").click()
    form = frame.get_by_role("dialog")
    form.get_by_label("Tag, as the app shows it").fill(tag)
    form.get_by_label("From how many orders on").fill("1")
    form.get_by_label("Of a").select_option("category")
    form.get_by_label("Its exact name").fill(guest.category)
    expect(form.get_by_text("1 guest would get the tag")).to_be_visible()
    form.get_by_role("button", name="Add").click()
    expect(frame.locator("#said")).to_contain_text("was added")

    run_id = airflow.trigger({}).raise_for_status().json()["dag_run_id"]
    assert airflow.over(run_id)["state"] == "success"
    row = frame.get_by_role("row", name=tag)
    row.get_by_role("link", name="1", exact=True).click()
    expect(frame.get_by_role("link", name=guest.id)).to_be_visible()

    frame = ui.open("/charts")
    with ui.page.expect_download() as download:
        frame.get_by_role("link", name="categories").click()
    lines = download.value.path().read_text().splitlines()
    assert [line for line in lines if guest.category in line]


@pytest.fixture
def without_its_rules(airflow: AirflowApi, dwh: Dwh) -> Iterator[None]:
    """Take away the rules that a test has added, and the tags that they gave."""
    yield
    dwh.execute("DELETE FROM cdm.tag_rules WHERE tag LIKE 'likes %'")
    airflow.over(airflow.trigger({}).raise_for_status().json()["dag_run_id"])
    left = dwh.execute(
        "SELECT count(*) FROM cdm.user_tags"
        " WHERE tag LIKE 'likes %' AND until_dt IS NULL"
    )
    assert left.fetchone() == (0,)


def _gap(dwh: Dwh) -> Incident | None:
    return next((one for one in open_incidents(dwh) if one.kind is Kind.GAP), None)
