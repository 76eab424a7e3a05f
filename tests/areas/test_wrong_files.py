"""A wrong file of one area stops the stages of that area, and no other's."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.areas.town import Town

# (file of the area, text in it, what stands there instead, what is said of it)
WRONG = {
    "area_is_no_yaml": ("area.yaml", "rows:", "rows: [", "this is no YAML"),
    "source_has_an_unknown_field": (
        *("sources/reviews/source.yaml", "topics:", "topic:"),
        "topic: Extra inputs",
    ),
    "mart_has_an_unknown_field": (
        *("cdm/restaurant_months/mart.yaml", "nullable:", "nullible:"),
        "nullible: Extra inputs",
    ),
    "satellite_has_an_unknown_field": (
        *("dds/satellites/s_review_photo.yaml", "parent:", "parents:"),
        "parents: Extra inputs",
    ),
}
AREA = "area_is_no_yaml"
MART = "mart_has_an_unknown_field"
WEEK = ("--from", "2024-03-25", "--to", "2024-04-02")


@contextmanager
def spoiled(town: Town, name: str) -> Iterator[tuple[str, str]]:
    """Make a file of the reviews wrong; give its path and what is said of it."""
    file, right, wrong, reason = WRONG[name]
    path = f"areas/reviews/{file}"
    town.checkout.change(path, right, wrong)
    yield path, reason
    town.checkout.change(path, wrong, right)


def test_stages_of_the_other_area_go_on(town: Town) -> None:
    sent = town.told(seed=21)
    town.send(sent)
    for number, name in enumerate(WRONG, start=1):
        town.order(number)
        with spoiled(town, name) as (file, reason):
            ran = town.palate("run", code=2)
            assert file in ran
            assert reason in ran
            assert town.rows("SELECT count(*) FROM dds.v_order") == [(number,)]
            assert town.rows(
                "SELECT sum(order_cnt) FROM cdm.user_product_counters"
            ) == [(number,)]

            found = _json(town, "status", "--json")
            (problem,) = found["problems"]
            assert problem.startswith("The area reviews can't be read")
            assert file in problem
            assert reason in problem
            assert [one["area"] for one in found["promises"]] == ["food"]
            assert {log["area"]: log["lag"] for log in found["logs"]} == {"food": 0}

            refused = town.palate("migrate", code=2)
            assert file in refused
            assert reason in refused

    assert town.rows("SELECT count(*) FROM dds.s_review_revision") == [(0,)]
    town.palate("run")
    town.assert_true(sent)
    assert _json(town, "status", "--json")["problems"] == []


def test_commands_of_the_area_fail_and_others_do_not(town: Town) -> None:
    town.send(town.told(seed=22))
    town.order(1)
    town.palate("run")
    with spoiled(town, MART) as (file, reason):
        for command in (
            ("rebuild", "restaurant_months"),
            ("reload", *WEEK, "--area", "reviews"),
        ):
            told = town.palate(*command, code=2)
            assert file in told, command
            assert reason in told, command
        for command in (
            ("rebuild", "user_product_counters"),
            ("reload", *WEEK, "--area", "food"),
            ("check",),
            ("reconcile",),
        ):
            told = town.palate(*command)
            assert told.count("The area reviews is left out") <= 1, command
    with spoiled(town, AREA) as (file, _):
        listed = ("rejected", "list", "--topic", "topic_of_nobody")
        assert file in town.palate(*listed, code=2)
        assert file in town.palate("reload", *WEEK, code=2)  # which area is the first?
    assert "There is no topic topic_of_nobody" in town.palate(*listed, code=2)


def test_nothing_of_the_area_is_taken_for_removed(town: Town) -> None:
    sent = town.told(seed=23)
    town.send(sent)
    town.order(1)
    town.palate("run")
    kept = (
        "SELECT kind, name, definition::text FROM ops.definitions ORDER BY 1, 2",
        "SELECT stage, topic, next_offset FROM ops.watermarks ORDER BY 1, 2, 3",
        "SELECT count(*) FROM ops.rebuilds",
    )
    before = [town.rows(query) for query in kept]
    for name in (AREA, MART):
        with spoiled(town, name) as (file, _):
            assert file in town.palate("rebuild", "vault", "--yes", code=2)
            if name == MART:
                dropping = ("drop", "restaurant_months", "--yes")
                assert file in town.palate(*dropping, code=2)
            assert "has no definition any more" not in town.palate("status")

    assert [town.rows(query) for query in kept] == before
    town.assert_true(sent)


def test_area_that_takes_what_another_has_is_refused(town: Town) -> None:
    town.checkout.change("areas/reviews/area.yaml", "asset:", 'prefix: ""\nasset:')
    told = town.palate("migrate", code=2)
    assert "areas/reviews/area.yaml: prefix: its stage" in told
    assert "is one of food already" in told

    town.checkout.change("areas/reviews/area.yaml", 'prefix: ""\nasset:', "asset:")
    marts = town.checkout.root / "sql" / "areas" / "reviews" / "cdm"
    (marts / "restaurant_months").rename(marts / "user_product_counters")
    told = town.palate("migrate", code=2)
    assert "areas/reviews/cdm/user_product_counters/mart.yaml" in told
    assert "has a table user_product_counters as well" in told


def test_file_by_which_the_area_feeds_the_hub_of_another_one_is_blamed(
    town: Town,
) -> None:
    hub = "areas/reviews/dds/hubs/h_user.yaml"
    town.checkout.change(hub, "[reviews]", "[no_such_source]")
    told = town.palate("migrate", code=2)
    assert f"sql/{hub}: source names no_such_source" in told


def test_watch_raises_an_alarm_and_forgets_no_waiting_message(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_FRESHNESS_SECONDS", "0.001")
    town.send(town.told(seed=24))
    waiting = "SELECT topic, min(seen_dt) FROM ops.log_ends GROUP BY topic"
    alarms = (
        "SELECT message FROM ops.incidents WHERE kind = 'watch' AND ended_dt IS NULL"
    )
    _watch(town)
    before = town.rows(waiting)
    assert [topic for topic, _ in before] == [town.reviews]

    with spoiled(town, AREA) as (file, reason):
        _watch(town)
        ((message,),) = town.rows(alarms)
        assert file in message
        assert reason in message
        assert town.rows(waiting) == before
        problems = _json(town, "status", "--json")["problems"]
        assert len([one for one in problems if file in one]) == 1

    _watch(town)  # another process: it has not seen that the area was wrong
    assert town.rows(alarms) == []


def test_dags_of_the_area_show_the_error_and_others_stay(town: Town) -> None:
    folder = town.checkout.root / "dags"
    program = (
        "import json\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"bag = DagBag({str(folder)!r})\n"
        "print(json.dumps({'ids': [*bag.dags], 'errors': bag.import_errors}))"
    )
    with spoiled(town, AREA) as (file, reason):
        found = json.loads(town.airflow(program).splitlines()[-1])

    # The area flights is off unless a setting names it.
    without = {
        *("reviews_stream", "flights_stream", "flights_reconcile"),
        *("files_intake", "files_replay"),
    }
    assert {path.stem for path in folder.glob("*.py")} - without == {*found["ids"]}
    ((place, error),) = found["errors"].items()
    assert Path(place).name == "reviews_stream.py"
    assert file in error
    assert reason in error


def _json(town: Town, *arguments: str) -> Any:
    """Return what a command prints as JSON; one warning at most is beside it."""
    done = town.checkout.palate(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is left out") <= 1, done.stderr
    return json.loads(done.stdout)


def _watch(town: Town) -> None:
    """Let a watch check twice: then it is sure of what it does not see."""
    town.python(
        "from unittest.mock import Mock\n"
        "from palate.monitoring.watch import Watch\n"
        "from palate.settings import load_settings\n"
        "stop = Mock(is_set=Mock(side_effect=[False, False, True]))\n"
        "Watch(load_settings(), lambda alarm: None).run(stop)\n"
    )
