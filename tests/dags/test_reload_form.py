"""Which broker times a reload is about, by its form and by its run."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.definitions.param import ParamsDict

TICK = datetime(2023, 8, 14, 3, tzinfo=UTC)
WEEK = timedelta(days=7)
BEGUN = datetime(2023, 8, 16, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "interval", "expected"),
    [
        pytest.param({}, (TICK - WEEK, TICK), (TICK - WEEK, TICK), id="its own week"),
        pytest.param({}, (None, None), (BEGUN - WEEK, BEGUN), id="the last seven days"),
        pytest.param(
            {"to": "2023-08-10T00:00:00+03:00"},
            (TICK - WEEK, TICK),
            (
                datetime(2023, 8, 2, 21, tzinfo=UTC),
                datetime(2023, 8, 9, 21, tzinfo=UTC),
            ),
            id="a week before its end",
        ),
        pytest.param(
            {"from": "2023-08-01T00:00:00"},
            (None, None),
            (datetime(2023, 8, 1, tzinfo=UTC), BEGUN),
            id="until it was begun",
        ),
        pytest.param(
            {"from": "2023-08-01", "to": "2023-08-02"},
            (TICK - WEEK, TICK),
            (datetime(2023, 8, 1, tzinfo=UTC), datetime(2023, 8, 2, tzinfo=UTC)),
            id="both",
        ),
    ],
)
def test_form_wins_over_the_run(
    form: dict[str, Any], interval: tuple[Any, Any], expected: tuple[Any, Any]
) -> None:
    from palate_airflow.forms.reload import asked_history, reload_form

    start, end = interval
    run = SimpleNamespace(
        conf=form, data_interval_start=start, data_interval_end=end, run_after=BEGUN
    )
    params = ParamsDict(reload_form())
    context: Any = {
        "dag": SimpleNamespace(params=params),
        "dag_run": run,
        "params": params.dump() | {"source": "stg"} | form,
    }
    found = asked_history(context)

    assert (found.start, found.end) == expected
    assert found.source == "stg"
