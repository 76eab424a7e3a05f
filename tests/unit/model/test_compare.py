from typing import Any

import pytest

from tests.model.compare import assert_equal, expected
from tests.model.history import History
from tests.model.tables import REJECTED, Tables
from tests.unit.model.stories import line, raw

HISTORY = History((raw(1, [line("d"), line("d")]), raw(2, offset=1, cost="-1")))


def found(**changed: list[Any]) -> Tables:
    """Return what a right warehouse of ``HISTORY`` has, changed."""
    tables = expected(HISTORY)
    tables[REJECTED] = [(*HISTORY.messages[1].position, "value_out_of_range")]
    return {
        **tables,
        **{name.replace("__", "."): rows for name, rows in changed.items()},
    }


def test_right_warehouse_is_equal() -> None:
    assert_equal(expected(HISTORY), found())


def test_missing_and_unexpected_rows_are_named() -> None:
    user, *_ = expected(HISTORY)["dds.h_user"]
    with pytest.raises(AssertionError) as error:
        assert_equal(expected(HISTORY), found(dds__h_user=[(user[0], None)]))
    assert str(error.value).splitlines() == [
        "The tables differ.",
        "dds.h_user (h_user_pk, user_id): 1 missing (-), 1 unexpected (+)",
        f"  - ({user[0]}, 'u')",
        f"  + ({user[0]}, NULL)",
    ]


def test_equal_rows_are_counted() -> None:
    item, _ = expected(HISTORY)["dds.v_order_item"]
    with pytest.raises(AssertionError, match="1 missing"):
        assert_equal(expected(HISTORY), found(dds__v_order_item=[item]))


def test_absent_table_is_a_difference() -> None:
    tables = found()
    del tables["dds.h_order"]
    with pytest.raises(AssertionError, match=r"dds\.h_order"):
        assert_equal(expected(HISTORY), tables)


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        pytest.param(1, "wrong_shape", id="a reason that isn't allowed"),
        pytest.param(0, "value_out_of_range", id="an accepted message"),
    ],
)
def test_wrong_refusal_is_a_difference(position: int, reason: str) -> None:
    rows = [(*HISTORY.messages[position].position, reason)]
    with pytest.raises(AssertionError, match=r"1 missing .*, 1 unexpected"):
        assert_equal(expected(HISTORY), {**found(), REJECTED: rows})


def test_any_of_several_reasons_will_do() -> None:
    history = History(
        (raw(1, cost="-1", status=""), raw(2, [line("d", 0, '""')], offset=1))
    )
    for reason in ("wrong_shape", "value_out_of_range"):
        rows = [
            (*history.messages[0].position, "value_out_of_range"),
            (*history.messages[1].position, reason),
        ]
        assert_equal(expected(history), {**expected(history), REJECTED: rows})


def test_long_differences_are_cut() -> None:
    rows = [(None, str(number)) for number in range(50)]
    with pytest.raises(AssertionError, match="and 30 more"):
        assert_equal(expected(HISTORY), found(dds__h_user=rows))
