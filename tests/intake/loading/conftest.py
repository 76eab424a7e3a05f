"""A warehouse that loads files, and a door before it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.ports import Ports
from palate.database import Connection, connect
from palate.files import datasets
from palate.settings import Settings
from tests.intake.process import Intake, running
from tests.warehouses import MakeWarehouse


@pytest.fixture(scope="package")
def settings(make_warehouse: MakeWarehouse) -> Iterator[Settings]:
    """Give a warehouse that loads files only."""
    with make_warehouse(palate_areas="files", palate_topics=None) as found:
        yield found


@pytest.fixture(scope="package")
def intake(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Intake]:
    """Run a replica; what loads finds its store, too."""
    folder: Path = tmp_path_factory.mktemp("intake")
    with (
        running(settings, folder, Ports.free().kafka) as found,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PALATE_INTAKE_STORE", found.env["PALATE_INTAKE_STORE"])
        yield found


@pytest.fixture
def dwh(settings: Settings) -> Iterator[Connection]:
    with connect(settings) as conn:
        yield conn


@pytest.fixture
def definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give datasets that a test may change."""
    found = tmp_path / "sources"
    shutil.copytree(datasets.FOLDER, found)
    monkeypatch.setattr(datasets, "FOLDER", found)
    monkeypatch.setattr(datasets.datasets, "__defaults__", (found,))
    return found
