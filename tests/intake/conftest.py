"""An intake with its own warehouse, beside a real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.ports import Ports
from palate.settings import Settings
from tests.intake.process import Intake, Partner, running
from tests.warehouses import MakeWarehouse

_companies = iter(range(10**6))


@pytest.fixture(scope="module")
def settings(make_warehouse: MakeWarehouse) -> Iterator[Settings]:
    """Give a warehouse to the tests of a file."""
    with make_warehouse() as found:
        yield found


@pytest.fixture(scope="module")
def intake(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Intake]:
    """Run a replica for the tests of a file."""
    folder: Path = tmp_path_factory.mktemp("intake")
    with running(settings, folder, Ports.free().kafka) as found:
        yield found


@pytest.fixture
def partner(intake: Intake) -> Partner:
    """Give a company that has sent nothing yet."""
    return intake.partner(f"partner-{next(_companies)}")
