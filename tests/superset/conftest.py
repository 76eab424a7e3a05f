"""Fixtures: a warehouse with hostile names, and a Superset that has the bundle."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from deploy.local.ports import Ports
from deploy.local.stack import Stack
from deploy.superset import archive
from tests.superset.browser import Answers, Drawn, open_browser
from tests.superset.program import ADMIN, REPOSITORY, Superset, all_of, install
from tests.superset.shop import Shop, open_shop
from tests.warehouses import MakeWarehouse

KEPT = Path(os.environ.get("PALATE_VAR") or REPOSITORY / "var").resolve() / "superset"
READER, READERS = "reader", "Palate readers"


@pytest.fixture(scope="package")
def shop(make_warehouse: MakeWarehouse, services: Stack) -> Iterator[Shop]:
    """Give a filled warehouse and a login that reads it."""
    with open_shop(make_warehouse, services) as found:
        yield found


@pytest.fixture(scope="package")
def warehouse_sql(shop: Shop) -> Iterator[psycopg.Connection[Any]]:
    """Connect to the warehouse as Superset does."""
    with psycopg.connect(shop.login) as conn:
        yield conn


@pytest.fixture(scope="package")
def bundle(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the archive, with the reader's login."""
    path = tmp_path_factory.mktemp("bundle") / "palate.zip"
    parts = conninfo_to_dict(shop.login)
    uri = "postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**parts)
    archive.write(path, archive.address({"PALATE_BI_DSN": uri}))
    return path


@pytest.fixture(scope="package")
def superset(
    bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Superset]:
    """Run a Superset that has imported the bundle once."""
    programs = install(KEPT / "environment")
    folder = tmp_path_factory.mktemp("superset")
    found = Superset(programs, folder, Ports.free().airflow)
    found.prepare()
    found.import_bundle(bundle)
    with found.running():
        yield found


@pytest.fixture(scope="package")
def admin(superset: Superset) -> Iterator[httpx.Client]:
    """Give the REST API as the administrator has it."""
    with superset.api(ADMIN, superset.password) as api:
        yield api


@pytest.fixture(scope="package")
def reader(superset: Superset, admin: httpx.Client) -> Iterator[httpx.Client]:
    """Give the REST API as somebody has it who reads, and no more."""
    (database,) = all_of(admin, "database")
    access = {"name": f"[Palate].(id:{database['id']})"}
    permission = {"permission": {"name": "database_access"}, "view_menu": access}
    roles = superset.folder / "roles.json"
    roles.write_text(json.dumps([{"name": READERS, "permissions": [permission]}]))
    superset.command("fab", "import-roles", "--path", roles)
    known = {one["name"]: one["id"] for one in all_of(admin, "security/roles")}
    person = {
        "username": READER,
        "password": superset.password,
        "first_name": "Rita",
        "last_name": "Reader",
        "email": "reader@example.com",
        "active": True,
        "roles": [known["Gamma"], known[READERS]],
    }
    admin.post("/security/users/", json=person).raise_for_status()
    with superset.api(READER, superset.password) as api:
        yield api


@pytest.fixture(scope="package")
def asked(reader: httpx.Client) -> Answers:
    """Ask each chart without a browser."""
    found = {}
    for chart in all_of(reader, "chart"):
        answer = reader.get(f"/chart/{chart['id']}/data/").raise_for_status().json()
        found[chart["slice_name"]] = [query["data"] for query in answer["result"]]
    return found


@pytest.fixture(scope="package")
def drawn(superset: Superset, reader: httpx.Client) -> Iterator[Drawn]:
    """Draw the dashboard for the reader, and keep a picture of it."""
    names = {one["id"]: one["slice_name"] for one in all_of(reader, "chart")}
    with open_browser(superset.url, names) as found:
        found.log_in(READER, superset.password)
        found.open()
        found.picture(KEPT / "guests_and_dishes.png")
        yield found
