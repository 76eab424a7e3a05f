"""What holds for messages holds for records of files: reload, rebuild and retention."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.local.ports import Ports
from palate.database import Connection
from palate.settings import Settings
from palate.vault.definitions import load_vault
from tests.intake.loading.sent import FILES, company, load, sent, state
from tests.intake.process import Intake, Partner, running
from tests.warehouses import MakeWarehouse

USA = [{"country_code": "USA"}]
_TABLES = sorted(item.table for item in load_vault(FILES.name).in_load_order)


@pytest.fixture(scope="module")
def settings(make_warehouse: MakeWarehouse) -> Iterator[Settings]:
    """Give a warehouse whose partitions are small."""
    with make_warehouse(
        palate_areas="files", palate_topics=None, palate_stg_partition_positions=2
    ) as found:
        yield found


@pytest.fixture(scope="module")
def intake(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Intake]:
    """Run a replica before it."""
    folder = tmp_path_factory.mktemp("intake")
    with (
        running(settings, folder, Ports.free().kafka) as found,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PALATE_INTAKE_STORE", found.env["PALATE_INTAKE_STORE"])
        yield found


def palate(intake: Intake, app: str, *arguments: str, **env: str) -> str:
    done = intake.palate(*arguments, app=app, PALATE_AREAS=FILES.name, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told(dwh: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the vault and the mart say, beside when it was loaded."""
    found = {
        table: dwh.execute(
            f"SELECT to_jsonb(t) - 'load_dt' FROM dds.{table} AS t ORDER BY 1"
        ).fetchall()
        for table in _TABLES
    }
    marts = dwh.execute("SELECT to_jsonb(t) FROM cdm.company_years AS t ORDER BY 1")
    return found | {"company_years": marts.fetchall()}


def some(intake: Intake, partner: Partner) -> list[str]:
    name = partner.company
    numbers = [
        sent(partner, company(f"{name}-{one}", founded_year=1990 + one, offices=USA))
        for one in range(5)
    ]
    load(intake)
    assert [state(partner, one)["state"] for one in numbers] == ["loaded"] * 5
    return numbers


def test_reload_puts_back_what_is_missing(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    some(intake, partner)
    before = told(dwh)
    assert all(before.values())
    for table in (*(f"dds.{one}" for one in _TABLES), "cdm.company_years"):
        dwh.execute(f"DELETE FROM {table}")
    today = datetime.now(UTC)
    days = [f"{today + timedelta(days=one):%F}" for one in (-1, 2)]

    palate(intake, "reload", "--area", "files", "--from", days[0], "--to", days[1])

    assert told(dwh) == before


def test_rebuild_makes_the_same_anew(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    some(intake, partner)
    before = told(dwh)
    dwh.execute("DELETE FROM cdm.company_years")

    palate(intake, "rebuild", "company_years")
    assert told(dwh) == before
    palate(intake, "rebuild", "vault", "--yes")
    assert told(dwh) == before

    more = sent(
        partner, company(f"{partner.company}-more", founded_year=2001, offices=USA)
    )
    load(intake)
    assert state(partner, more)["state"] == "loaded"
    assert told(dwh) != before


def test_retention_drops_records_and_forgets_no_delivery(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    number, *_ = some(intake, partner)
    before = told(dwh)
    records = "SELECT count(*) FROM stg.order_events WHERE topic LIKE 'files.%'"
    (kept,) = dwh.execute(records).fetchone() or (0,)
    dwh.execute("UPDATE stg.order_events SET broker_dt = broker_dt - interval '9 days'")

    palate(intake, "storage", "retain", PALATE_STG_KEEP_DAYS="1")

    (left,) = dwh.execute(records).fetchone() or (0,)
    assert left < kept
    assert told(dwh) == before
    again = partner.client.get(f"/imports/{number}").json()
    assert (again["state"], again["loaded"]) == ("loaded", 1)
    some(intake, intake.partner(f"{partner.company}-later"))
