"""A mart by key: kept by batches, corrected, built anew, compared."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.checks.results import Result
from palate.checks.run import run_checks
from palate.engine.outcome import Outcome
from palate.engine.stage import open_run
from palate.errors import DefinitionError
from palate.marts import compare, tables
from palate.marts import stage as marts
from palate.marts.by_key_sql import ByKeySql
from palate.marts.definitions import load_marts
from palate.marts.models import ByKeyMart
from palate.settings import Settings
from palate.table_set import TableSet
from palate.vault import stage as vault
from tests import guide_mart
from tests.food import FOOD
from tests.guide_mart import NAME
from tests.integration.emptied import Emptied
from tests.integration.staged import caller, stage_messages, with_topics
from tests.model.history import Message
from tests.model.oracle import key
from tests.unit.model.stories import line, raw
from tests.warehouses import MakeWarehouse

LATER = "2023-08-09 10:00:00"
FIRST = [
    raw(1, [line("a")], restaurant="r1"),
    raw(2, [line("a")], restaurant="r1", user="v"),
    raw(3, [line("b")], restaurant="r2"),
    raw(4, [line("b")], restaurant="r3"),
]


@pytest.fixture(scope="module")
def mart() -> Iterator[ByKeyMart]:
    with guide_mart.added() as found:
        yield found


@pytest.fixture(scope="module")
def by_key(make_warehouse: MakeWarehouse, mart: ByKeyMart) -> Iterator[Emptied]:
    """Give a warehouse that has the mart."""
    with make_warehouse() as settings:
        dsn = settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True) as conn:
            assert tables.make_tables(conn) == [mart.name]
            yield Emptied(with_topics(settings), conn)


@pytest.fixture
def loaded(by_key: Emptied) -> Emptied:
    """Give the same, with some orders."""
    by_key.empty()
    _stage(by_key, FIRST)
    _vault(by_key)
    _mart(by_key, "first")
    return by_key


def _stage(by_key: Emptied, messages: list[Message]) -> None:
    (start,) = by_key.conn.execute(
        "SELECT coalesce(max(next_offset), 0) FROM ops.watermarks WHERE stage = 'drain'"
    ).fetchone() or (0,)
    numbered = [replace(one, offset=start + n) for n, one in enumerate(messages)]
    stage_messages(by_key.conn, numbered)


def _vault(by_key: Emptied) -> None:
    (number,) = by_key.conn.execute(
        "SELECT count(*) FROM ops.stage_runs"
    ).fetchone() or (0,)
    vault.run(by_key.settings, FOOD, caller("vault", f"run {number}"))


def _mart(by_key: Emptied, run_id: str) -> Outcome:
    return marts.run(by_key.settings, NAME, caller(NAME, run_id))


def _rows(by_key: Emptied) -> dict[str, tuple[Any, ...]]:
    """Return the numbers of each restaurant, and which transaction wrote them."""
    ids = {key(name): name for name in ("r1", "r2", "r3", "r4")}
    rows = by_key.conn.execute(
        f"SELECT restaurant_id, order_cnt, guest_cnt, xmin::text FROM cdm.{NAME}"
    )
    return {ids[restaurant]: tuple(rest) for restaurant, *rest in rows}


def _numbers(by_key: Emptied) -> dict[str, tuple[Any, ...]]:
    return {name: row[:2] for name, row in _rows(by_key).items()}


# Few orders and restaurants: most messages move something.
MESSAGES = st.builds(
    raw,
    st.integers(1, 4),
    restaurant=st.sampled_from(["r1", "r2", "r3"]),
    user=st.sampled_from(["u", "v"]),
    status=st.sampled_from(["CLOSED", "CLOSED", "CLOSED", "CANCELLED"]),
    update_ts=st.sampled_from(["2023-08-07 10:00:00", "2023-08-08 10:00:00", LATER]),
)
STEPS = st.sampled_from(["load", "load", "load", "load", "vault", "again", "rebuild"])


@given(data=st.data())
def test_mart_kept_by_any_cut_of_batches_equals_the_whole_query(
    by_key: Emptied, mart: ByKeyMart, data: st.DataObject
) -> None:
    by_key.empty()
    size = data.draw(st.sampled_from([1, 2, 50_000]), label="positions a chunk")
    by_key = replace_settings(by_key, palate_chunk_positions=size)
    ran = ["run 0"]
    steps = data.draw(
        st.lists(MESSAGES | STEPS, min_size=12, max_size=12), label="steps"
    )
    for step in [*steps, "load"]:
        if isinstance(step, Message):
            _stage(by_key, [step])
        elif step == "rebuild":
            marts.rebuild(by_key.settings, NAME, caller("rebuild", ran[-1]))
        elif step == "again":
            _mart(by_key, data.draw(st.sampled_from(ran), label="which"))
        else:
            ran.append(f"run {len(ran)}")
            vault.run(by_key.settings, FOOD, caller("vault", ran[-1]))
            if step == "load":
                _mart(by_key, ran[-1])

    columns = ", ".join(mart.all_columns)
    rows = f"SELECT {columns} FROM cdm.{NAME} ORDER BY 1"
    whole = f"{ByKeySql(mart).recomputed()} ORDER BY 1"
    kept = by_key.conn.execute(rows).fetchall()
    assert kept == by_key.conn.execute(whole).fetchall()
    assert compare.differences(by_key.settings, NAME) == (0, [])


def replace_settings(by_key: Emptied, **values: Any) -> Emptied:
    """Return the same warehouse with other settings."""
    return Emptied(by_key.settings.model_copy(update=values), by_key.conn)


def test_batch_writes_only_rows_that_differ(loaded: Emptied) -> None:
    before = _rows(loaded)
    assert _numbers(loaded) == {"r1": (2, 2), "r2": (1, 1), "r3": (1, 1)}
    _stage(
        loaded,
        [
            raw(1, [line("a", 7)], restaurant="r1"),  # the same row as before
            raw(3, [line("b")], restaurant="r4", update_ts=LATER),  # leaves r2
            raw(5, [line("c")], restaurant="r3", update_ts=LATER),
        ],
    )
    _vault(loaded)

    outcome = _mart(loaded, "second")

    assert _numbers(loaded) == {"r1": (2, 2), "r3": (2, 1), "r4": (1, 1)}
    assert _rows(loaded)["r1"] == before["r1"]
    assert outcome.counts == {
        "touched_keys": 4, "computed": 3, "inserted": 1, "changed": 1, "deleted": 1,
    }  # fmt: skip
    assert _mart(loaded, "third").batches == 0


def test_cleared_task_corrects_what_its_own_positions_touch(loaded: Emptied) -> None:
    _stage(loaded, [raw(5, [line("c")], restaurant="r3", user="w", update_ts=LATER)])
    _vault(loaded)
    _mart(loaded, "second")
    before = _rows(loaded)
    loaded.conn.execute(f"UPDATE cdm.{NAME} SET order_cnt = 70 + order_cnt")
    broken = _rows(loaded)

    outcome = _mart(loaded, "second")

    assert outcome.repeated == outcome.batches == 1
    assert (outcome.counts["corrected"], outcome.counts["compared"]) == (1, 1)
    (example,) = outcome.examples
    assert (example["what"], example["restaurant_id"]) == ("other values", key("r3"))
    assert _rows(loaded)["r3"][:2] == before["r3"][:2]
    assert {name: row for name, row in _rows(loaded).items() if name != "r3"} == {
        name: row for name, row in broken.items() if name != "r3"
    }
    _mart(loaded, "first")
    assert _numbers(loaded) == {name: row[:2] for name, row in before.items()}
    right = _rows(loaded)
    assert _mart(loaded, "first").examples == []
    assert _rows(loaded) == right


def test_repeat_puts_back_what_was_deleted_and_removes_what_is_not_to_be(
    loaded: Emptied,
) -> None:
    before = _numbers(loaded)
    conn = loaded.conn
    conn.execute(f"DELETE FROM cdm.{NAME} WHERE restaurant_id = %s", (key("r1"),))
    _stage(loaded, [raw(4, restaurant="r3", status="CANCELLED", update_ts=LATER)])
    _vault(loaded)
    found = marts.run(loaded.settings, NAME, caller(NAME, "first"))

    assert [(one["what"], one["restaurant_id"]) for one in found.examples] == [
        ("missing", key("r1"))
    ], "what only waits to be taken was not wrong"
    assert found.batches == 2
    assert _numbers(loaded) == {"r1": before["r1"], "r2": before["r2"]}


def test_rows_that_wait_are_left_out_of_a_check_beside_live_runs(
    loaded: Emptied,
) -> None:
    _stage(loaded, [raw(3, [line("b")], restaurant="r4", update_ts=LATER)])
    _vault(loaded)
    assert compare.differences(loaded.settings, NAME)[0] == 2

    (found,) = _checked(loaded.settings)
    assert (found.outcome, found.note) == (
        "passed",
        "What is not counted yet was left out.",
    )

    loaded.conn.execute(f"UPDATE cdm.{NAME} SET guest_cnt = 9")
    (found,) = _checked(loaded.settings)
    wrong = {row["restaurant_id"] for row in found.examples}
    assert (found.outcome, wrong) == ("found", {key("r1"), key("r3")})


def _checked(settings: Settings) -> list[Result]:
    report = run_checks(settings, caller("checks"), ["marts/equal_the_vault"])
    return [one for one in report.results if one.subject == f"cdm.{NAME}"]


def test_rebuild_makes_the_whole_mart_anew(loaded: Emptied) -> None:
    before = _numbers(loaded)
    loaded.conn.execute(
        f"UPDATE cdm.{NAME} SET order_cnt = 9, restaurant_id = '{key('nowhere')}'"
        f" WHERE restaurant_id = '{key('r1')}'"
    )
    loaded.conn.execute(f"DELETE FROM cdm.{NAME} WHERE order_cnt = 1")

    outcome = marts.rebuild(loaded.settings, NAME, caller("rebuild"))

    assert outcome.counts == {"rows": 3}
    assert _numbers(loaded) == before
    assert _mart(loaded, "next").batches == 0


def test_tables_of_a_rebuild_are_filled_by_the_same_statements(
    loaded: Emptied, mart: ByKeyMart
) -> None:
    conn = loaded.conn
    conn.execute("CREATE SCHEMA dds_rebuild; CREATE SCHEMA cdm_rebuild")
    try:
        for table in ("s_order_version", "h_order"):
            conn.execute(
                f"CREATE TABLE dds_rebuild.{table} AS SELECT * FROM dds.{table}"
            )
        conn.execute("DELETE FROM dds_rebuild.s_order_version WHERE order_id = 2")
        for statement in tables.table_statements(mart, TableSet.SHADOW):
            conn.execute(statement)
        stage = f"rebuild:{NAME}"
        with open_run(
            loaded.settings, stage, caller("rebuild"), TableSet.SHADOW
        ) as run:
            marts.catch_up(loaded.settings, run, mart, "vault")
        rows = conn.execute(f"SELECT order_cnt FROM cdm_rebuild.{NAME}").fetchall()
        assert rows == [(1,), (1,), (1,)]
        assert _numbers(loaded)["r1"] == (2, 2)
    finally:
        conn.execute("DROP SCHEMA dds_rebuild CASCADE; DROP SCHEMA cdm_rebuild CASCADE")


# A row per order of a restaurant: two, where it has two.
TWICE = """
SELECT
    v.h_restaurant_pk AS restaurant_id,
    1 AS order_cnt,
    1 AS guest_cnt,
    NULL::timestamp AS last_order_dt
FROM {{ dds }}.s_order_version AS v
"""


def test_two_rows_of_a_key_fail_before_anything_is_written(loaded: Emptied) -> None:
    before = _rows(loaded)
    _stage(loaded, [raw(7, restaurant="r1", update_ts=LATER)])
    _vault(loaded)
    marks = "SELECT * FROM ops.watermarks WHERE stage = %s ORDER BY 2, 3, 4"
    stood = loaded.conn.execute(marks, (f"mart:{NAME}",)).fetchall()
    told = (
        f"sql/areas/food/cdm/{NAME}/rows.sql gives more than one row for "
        f"restaurant_id {key('r1')}"
    )
    with guide_mart.added(rows=TWICE), pytest.MonkeyPatch.context() as patch:
        # Else the changed file itself would be refused.
        patch.setattr("palate.tables.registry.refuse_changed", lambda *_: None)
        for act in (
            lambda: _mart(loaded, "second"),
            lambda: marts.rebuild(loaded.settings, NAME, caller("rebuild")),
            lambda: compare.differences(loaded.settings, NAME),
        ):
            with pytest.raises(DefinitionError) as found:
                act()
            assert told in str(found.value)
    assert _rows(loaded) == before
    assert loaded.conn.execute(marks, (f"mart:{NAME}",)).fetchall() == stood


def test_mart_is_one_of_all(mart: ByKeyMart) -> None:
    assert load_marts()[NAME] is mart
    assert (mart.stage, mart.tables) == (f"mart:{NAME}", (NAME,))
