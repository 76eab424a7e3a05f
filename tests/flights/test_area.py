"""What Palate makes of the topics equals the tables of the airline."""

import pytest

from tests.flights.airline import Source
from tests.flights.loaded import Loaded
from tests.warehouses import MakeWarehouse

pytestmark = pytest.mark.slow


def test_point_19_views_and_mart_equal_the_standby(
    source: Source, make_warehouse: MakeWarehouse
) -> None:
    """Without a comparison: what was sent is enough, also after keys have changed."""
    source.happen(60, seed=19)
    with Loaded.open(source, make_warehouse) as loaded:
        loaded.assert_equal()
