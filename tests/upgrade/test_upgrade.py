"""What an older version left half-done is done by this one, once.

One upgrade, and its acts in the order in which they stand here.
"""

from datetime import datetime

import pytest

from deploy.local.kafka import TOPICS
from tests.damage import DAMAGE
from tests.e2e.airflow_api import OVER, AirflowApi, until
from tests.e2e.runs import is_quiet
from tests.upgrade import warehouse
from tests.upgrade.conftest import SECONDS, TICK, Upgrade, tasks_of

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(3_600)]


def test_older_version_was_stopped_amid_its_work(upgrade: Upgrade) -> None:
    """Else all that follows would show nothing."""
    before = upgrade.before
    marks = before.watermarks

    assert before.killed >= {"drain", "vault"}
    assert any(
        offset < upgrade.ends_before[topic, partition]
        for (stage, topic, _, partition), offset in marks.items()
        if stage == "drain"
    )
    assert any(
        offset < marks["drain", *log]
        for (stage, *log), offset in marks.items()
        if stage == "vault" and ("drain", *log) in marks
    )
    assert upgrade.open_runs
    assert [classpath for _, classpath in upgrade.bells] == ["kafka_bell.KafkaBell"]


def test_migration_leaves_what_was_there(upgrade: Upgrade) -> None:
    before, after, said = upgrade.before, upgrade.after, upgrade.migrated
    new = {name for _, name, *_ in after.definitions - before.definitions}

    assert before.definitions - after.definitions == set()
    assert before.columns - after.columns == set()
    assert before.watermarks == after.watermarks
    assert {name for name in new if name not in said} == set()
    if before.migration == after.migration:
        assert before.tables - after.tables == set()
        # Without a new file nothing is made, and the command says so.
        if not new and "an index on" not in said:
            assert said == "The warehouse is up to date.\n"
            assert after.tables - before.tables == set()


def test_dags_and_tasks_keep_their_ids(upgrade: Upgrade) -> None:
    with upgrade.airflow() as api:

        def read() -> set[str]:
            return {
                dag["dag_id"]
                for dag in api.get("/dags", limit=100)["dags"]
                if datetime.fromisoformat(dag["last_parsed_time"]) > upgrade.upgraded
            }

        dags = {dag for dag, _ in upgrade.tasks}
        until(
            lambda: dags <= read(), f"the DAGs {dags}, read from this version's files"
        )

        assert upgrade.tasks - tasks_of(api) == set()


def test_half_done_work_is_done_once(upgrade: Upgrade) -> None:
    upgrade.wait_until_counted()
    with upgrade.airflow() as api:
        until(lambda: is_quiet(api), "the end of all runs", SECONDS)
        for run_id in upgrade.open_runs:
            states = {name: task["state"] for name, task in api.tasks(run_id).items()}
            assert set(states.values()) == {"success"}, (run_id, states)

    with upgrade.connect() as dwh:
        marks = warehouse.watermarks(dwh)
        taken = warehouse.taken(dwh)
        staged = warehouse.staged(dwh)
    # Each batch begins where the last one ended, whichever version it was of.
    for key, spans in taken.items():
        assert spans[0][0] == 0, key
        assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]], key
    assert {key: spans[-1][1] for key, spans in taken.items()} == marks
    assert {key[0] for key in marks} >= {key[0] for key in upgrade.before.watermarks}
    assert staged == {log: (end, end) for log, end in upgrade.ends().items()}
    # Either version's simulator knows what must have come out.
    upgrade.old.palate("simulate", "truth", "--compare", "--wait", "60")
    upgrade.assert_true()


def test_cleared_task_of_an_old_run_does_its_own_ranges_again(upgrade: Upgrade) -> None:
    with upgrade.connect() as dwh:
        first = {
            run["dag_run_id"]: warehouse.taken_by(dwh, run["dag_run_id"])
            for run in upgrade.runs
            if run["run_type"] != "backfill" and run["state"] == "success"
        }
        # What the largest of them took, by the ledger's first batches.
        run_id = max(first, key=lambda one: _positions(first[one], "drain"))
        assert _positions(first[run_id], "drain")
        last = warehouse.last_batch(dwh)
        with upgrade.airflow() as api:
            before = _tries(api, run_id)
            api.clear(run_id, ["drain"], downstream=True)
            until(
                lambda: api.run(run_id)["state"] in OVER,
                f"the end of {run_id}, which was cleared",
                SECONDS,
            )
            assert api.run(run_id)["state"] == "success"
            after = _tries(api, run_id)
        again = warehouse.taken_by(dwh, run_id, since=last)

    assert before.keys() == after.keys()
    assert all(after[name] > number for name, number in before.items())
    of_orders = [
        (stage, topic, *log)
        for stage, topic, *log in first[run_id]
        if stage in ("drain", "vault") and topic in TOPICS
    ]
    assert {key: again.get(key) for key in of_orders} == {
        key: first[run_id][key] for key in of_orders
    }
    upgrade.assert_true()


def test_backfill_over_old_runs_heals(upgrade: Upgrade) -> None:
    old = [run["dag_run_id"] for run in upgrade.runs if run["run_type"] == "backfill"]
    with upgrade.connect() as dwh:
        assert all(dwh.execute(statement).rowcount for statement in DAMAGE)

    with upgrade.airflow() as api:
        before = {run_id: _tries(api, run_id)["drain"] for run_id in old}
        upgrade.backfill(api, upgrade.start + TICK, upgrade.end, "completed")
        after = {run_id: _tries(api, run_id)["drain"] for run_id in old}
        runs = api.runs(
            run_after_gte=(upgrade.start + TICK).isoformat(),
            run_after_lte=upgrade.end.isoformat(),
            run_type="backfill",
        )

    assert before.keys() <= {run["dag_run_id"] for run in runs}
    assert {run["state"] for run in runs} == {"success"}
    assert old
    assert all(after[run_id] > before[run_id] for run_id in old)
    upgrade.assert_true()


def test_stored_bell_rings_without_a_tick(upgrade: Upgrade) -> None:
    def types_of_the_runs_that_took_new_orders() -> set[str]:
        with upgrade.connect() as dwh, upgrade.airflow() as api:
            last = warehouse.last_batch(dwh)
            few = ("history", "--demo", "--orders", "50", "--days", "0.01")
            upgrade.new.palate("simulate", *few)
            upgrade.wait_until_counted()
            run_ids = warehouse.runs_that_took(dwh, "drain", since=last)
            return {api.run(run_id)["run_type"] for run_id in run_ids}

    assert upgrade.find_bells() == upgrade.bells
    # A tick may come in between, but not twice in so short a time.
    types = [types_of_the_runs_that_took_new_orders() for _ in range(2)]
    assert {"asset_triggered"} in types, types
    upgrade.assert_true()


def _tries(api: AirflowApi, run_id: str) -> dict[str, int]:
    return {name: task["try_number"] for name, task in api.tasks(run_id).items()}


def _positions(spans: dict[warehouse.Key, list[warehouse.Span]], stage: str) -> int:
    return sum(
        end - start
        for (of_stage, *_), found in spans.items()
        if of_stage == stage
        for start, end in found
    )
