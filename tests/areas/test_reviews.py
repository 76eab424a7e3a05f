"""A second area in a copy of the program, through the shell, beside the first one."""

import json
from collections import Counter
from typing import Any

import pytest

from tests.areas.reviews import corpus, messages, truth, warehouse
from tests.areas.town import Town
from tests.model.history import Message

# One look of the watch; and what the overview shows.
_WATCH = """
from palate.monitoring.watch import Watch
from palate.settings import load_settings
Watch(load_settings(), print).once()
"""
_OVERVIEW = """
from fastapi.testclient import TestClient
from palate.settings import load_settings
from palate_cockpit import Guards, create_app
def anybody(): pass
guards = Guards(*[anybody] * 5, lambda event: anybody)
print(TestClient(create_app(guards, load_settings)).get("/api/v1/").text)
"""


def test_area_is_loaded_beside_the_other_one(town: Town) -> None:
    town.order(1, 2)
    town.palate("run")
    food = _food(town)

    sent = town.told(seed=1)
    town.send(sent)
    assert _lags(town) == {town.reviews: len(sent), town.orders: 0}
    town.palate("run")
    assert _lags(town) == {town.reviews: 0, town.orders: 0}
    town.assert_true(sent)
    assert _food(town) == food
    assert _topics_by_stage(town) == {
        "drain": {town.orders},
        "vault": {town.orders},
        "reviews/drain": {town.reviews},
        "reviews/vault": {town.reviews},
    }

    town.order(3)
    town.palate("run")
    town.assert_true(sent)
    assert len(_food(town)["dds.v_order"]) == 3
    town.palate("check")
    assert "restaurant_months: 0 rows differ" in town.palate("reconcile")

    batches = "SELECT count(*) FROM ops.batch_ranges"
    before = town.rows(batches)
    town.palate("run")  # nothing is new
    assert town.rows(batches) == before


def test_cuts_of_batches_change_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_DRAIN_MESSAGES", "7")
    sent = town.told(seed=4, reviews=40)
    half = len(sent) // 2
    for some in (sent[:half], sent[half:]):
        town.send(some)
        town.palate("run")
    town.assert_true(sent)


def test_odd_messages_are_judged_as_the_corpus_says(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_REFUSED_SHARE", "1")
    cases = corpus.cases()
    town.send(
        Message(town.reviews, 0, 0, number, corpus.BROKER_DT, case.value)
        for number, case in enumerate(cases)
    )
    town.palate("run")

    reasons = warehouse.refused(town.conn, town.reviews)
    assert {
        case.name: reasons.get((town.reviews, 0, 0, number))
        for number, case in enumerate(cases)
        if {reasons.get((town.reviews, 0, 0, number))} - {None} != case.expect
    } == {}
    assert town.rows("SELECT count(*) FROM dds.s_review_revision") == [
        (sum(not case.expect for case in cases),)
    ]


def test_refused_messages_of_one_area_are_judged_again(town: Town) -> None:
    sent = town.told(seed=13, reviews=30)
    accepted, refused = truth.judged(sent)
    town.order(1)
    town.send([Message(town.orders, 0, 1, 0, corpus.BROKER_DT, b"no order")])
    town.send(sent)
    town.palate("run")
    listed = town.palate("rejected", "list", "--reason", "not_a_review")
    assert "it is no object whose event is the text review" in listed

    town.checkout.change(
        "areas/reviews/sources/reviews/shape.yaml",
        "text: review, otherwise",
        "text: reply, otherwise",
    )
    told = town.palate("rejected", "replay", "--all")

    # Replies are reviews now; what was accepted before is not judged again.
    replies = {
        one.position for one in sent if b'"event": "reply"' in (one.value or b"")
    }
    now = warehouse.refused(town.conn, town.reviews)
    assert refused.keys() - now.keys() == replies
    assert replies
    assert town.rows("SELECT count(*) FROM dds.s_review_revision") == [
        (len(accepted) + len(replies),)
    ]
    assert warehouse.refused(town.conn, town.orders) == {
        (town.orders, 0, 1, 0): "not_json"
    }
    assert "reviews/vault" in told
    assert "restaurant_months: 0 rows differ" in town.palate("reconcile")


def test_reload_restores_what_is_missing(town: Town) -> None:
    sent = town.told(seed=8)
    town.order(1)
    town.send(sent)
    town.palate("run")
    food = _food(town)
    for table in ("dds.s_review_photo", "dds.l_review_user", "cdm.restaurant_months"):
        town.conn.execute(f"DELETE FROM {table}")

    week = ("--from", "2024-03-25", "--to", "2024-04-02")
    town.palate("reload", "--area", "reviews", *week)
    town.assert_true(sent)
    town.palate("reload", "--area", "reviews", *week)  # nothing is left to do
    town.assert_true(sent)
    assert _food(town) == food


def test_retention_drops_messages_and_nothing_else(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_STG_PARTITION_POSITIONS", "10")
    sent = town.told(seed=9)
    town.send(sent)
    town.palate("run")
    monkeypatch.setenv("PALATE_STG_KEEP_DAYS", "1")
    staged = "SELECT count(*) FROM stg.order_events"
    before = town.rows(staged)
    # Refused ones are kept as long as somebody may want them judged again.
    town.palate("rejected", "dismiss", "--topic", town.reviews, "--why", "a test")

    town.palate("storage", "retain")

    assert town.rows(staged) < before
    town.assert_true(sent)
    more = messages.later(sent, town.told(seed=10))
    town.send(more)
    town.palate("run")
    town.assert_true([*sent, *more])


def test_new_satellite_gets_the_history_of_its_area(town: Town) -> None:
    sent = town.told(seed=11)
    town.order(1)
    town.send(sent)
    town.palate("run")
    read = "SELECT max(batch_id) FROM ops.batches WHERE stage = 'vault'"
    before = town.rows(read)
    town.write(
        "dds/satellites/s_review_stars.yaml",
        "description: How many stars a review gave.\nparent: h_review\n"
        "source: [reviews]\npayload:\n  stars: integer\n",
    )

    assert "Made s_review_stars." in town.palate("migrate")
    town.palate("run")

    accepted, _ = truth.judged(sent)
    assert Counter(
        town.rows(
            "SELECT review_id, version_dt, stars FROM dds.s_review_stars"
            " JOIN dds.h_review USING (h_review_pk)"
        )
    ) == Counter({(one.review_id, one.sent_at, one.stars) for one in accepted})
    assert town.rows(read) == before


def test_rebuild_makes_both_areas_anew(town: Town) -> None:
    sent = town.told(seed=12)
    town.order(1, 2)
    town.send(sent)
    town.palate("run")
    food = _food(town)
    town.conn.execute("UPDATE dds.s_review_revision SET stars = 1")
    town.conn.execute("DELETE FROM cdm.restaurant_months")

    town.palate("rebuild", "restaurant_months")
    assert town.rows("SELECT DISTINCT stars_avg FROM cdm.restaurant_months") == [(1,)]
    town.palate("rebuild", "vault", "--yes")

    town.assert_true(sent)
    assert _food(town) == food
    more = messages.later(sent, town.told(seed=13))
    town.order(3)
    town.send(more)
    town.palate("run")
    town.assert_true([*sent, *more])


def test_area_that_is_left_out_is_not_read(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = town.told(seed=14)
    town.order(1)
    town.send(sent)
    with monkeypatch.context() as patch:
        patch.setenv("PALATE_AREAS", "food")
        town.palate("run")
        assert set(_topics_by_stage(town)) == {"drain", "vault"}

    town.palate("run")
    town.assert_true(sent)


def test_overview_has_a_row_for_each_area_that_is_on(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.order(1)
    sent = town.told(seed=15)
    town.send(sent)
    town.python(_WATCH)
    food, reviews = json.loads(town.python(_OVERVIEW))["areas"]
    assert (food["area"], food["dag"]) == ("food", "orders_stream")
    assert (reviews["area"], reviews["dag"]) == ("reviews", "reviews_stream")
    assert [one["name"] for one in reviews["steps"]] == ["STG", "Vault", "Marts"]
    assert [one["waits"][0]["number"] for one in food["steps"][:2]] == [1, 0]
    assert reviews["steps"][0]["waits"][0]["number"] == len(sent)
    assert reviews["steps"][0]["stages"] == ["reviews/drain"]
    assert [one["topic"] for one in reviews["topics"]] == [town.reviews]

    monkeypatch.setenv("PALATE_AREAS", "food")
    (alone,) = json.loads(town.python(_OVERVIEW))["areas"]
    assert alone["area"] == "food"


def test_area_has_a_dag_of_its_own(town: Town) -> None:
    file = town.checkout.root / "dags" / "reviews_stream.py"
    tasks = town.airflow(
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"bag = DagBag({str(file)!r})\n"
        "assert not bag.import_errors, bag.import_errors\n"
        "print(*sorted(bag.dags['reviews_stream'].task_dict))"
    ).split()
    assert {"drain", "vault"} < set(tasks)
    assert any("restaurant_months" in task for task in tasks)


def _food(town: Town) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the warehouse holds about orders."""
    return {
        table: sorted(town.rows(f"SELECT * FROM {table}"), key=str)
        for table in ("dds.v_order", "dds.v_order_item", "cdm.user_product_counters")
    }


def _lags(town: Town) -> dict[str, int]:
    """Return how many messages of the two topics wait, as ``palate status`` says."""
    lags = dict.fromkeys((town.reviews, town.orders), 0)
    for log in json.loads(town.palate("status", "--json"))["logs"]:
        if log["topic"] in lags:
            lags[log["topic"]] += log["lag"]
    return lags


def _topics_by_stage(town: Town) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for stage, topic in town.rows(
        "SELECT DISTINCT stage, topic FROM ops.batch_ranges JOIN ops.batches"
        " USING (batch_id) WHERE stage ~ '(drain|vault)$'"
    ):
        found.setdefault(stage, set()).add(topic)
    return found
