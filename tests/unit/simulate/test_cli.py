import json

import pytest
from typer.testing import CliRunner

from palate.simulate.cli import app
from palate.simulate.journal import Journal, WorldSize
from palate.simulate.model import Message, Position
from tests.unit.simulate.orders import DAY_1, RAW, key, line, menu, version

NOBODY = "127.0.0.1:1"  # a port on which nobody listens


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP", NOBODY)
    monkeypatch.setenv("REDIS_URL", f"redis://{NOBODY}")
    monkeypatch.setenv("DWH_DSN", f"postgresql://{NOBODY}/dwh")
    monkeypatch.setenv("PALATE_KAFKA_TIMEOUT", "0.3")
    monkeypatch.setenv("PALATE_VAR", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.fixture
def sent(tmp_path):
    """Note down one order, one refused message and one menu."""
    with Journal(tmp_path / "simulator").run("history", WorldSize()) as written:
        written.add_entry(menu(DAY_1, ("lobio", "Лобио", "Закуски")))
        order, junk = version(line(quantity=2)), (None, "not_json")
        written.add(Message(0, RAW, b"", order, None), Position(RAW, 0, 0), 1)
        written.add(Message(0, RAW, b"", *junk), Position(RAW, 0, 1), 2)
        written.end()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["history", "--orders", "1"], f"Kafka at {NOBODY} does not answer"),
        (["live", "--count", "1"], f"Kafka at {NOBODY} does not answer"),
        (["dictionaries"], "Redis (the dictionaries) at"),
        (["demo"], "Redis (the dictionaries) at"),
        (["truth", "--compare"], "PostgreSQL (the warehouse) can't be reached"),
    ],
)
def test_service_that_is_down_gets_one_sentence(run, arguments, names):
    result = run(*arguments)
    assert result.exit_code == 3
    assert names in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_missing_settings_are_named(run, monkeypatch):
    monkeypatch.delenv("DWH_DSN")
    result = run("history")
    assert result.exit_code == 2
    assert "DWH_DSN" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["history", "--junk", "1.5"],
        ["history", "--until", "yesterday"],
        ["live", "--rate", "0"],
    ],
)
def test_wrong_option_is_refused(run, arguments):
    assert run(*arguments).exit_code == 2


def test_each_share_is_an_option(run):
    shown = run("history", "--help").stdout
    assert "--changed-guest" in shown
    assert "--renamed-users" in shown


def test_truth_prints_the_marts(run, sent):
    assert json.loads(run("truth", "--json").stdout) == {
        "user_product_counters": [
            {
                "user_id": str(key("olga")),
                "product_id": str(key("lobio")),
                "product_name": "Лобио",
                "order_cnt": 1,
                "pieces_cnt": 2,
                "amount": "700",
            }
        ],
        "user_category_counters": [
            {
                "user_id": str(key("olga")),
                "category_id": str(key("Закуски")),
                "category_name": "Закуски",
                "order_cnt": 1,
                "pieces_cnt": 2,
                "amount": "700",
            }
        ],
        "rejected": {"not_json": 1},
    }


def test_another_world_than_the_noted_one_is_refused(run, sent):
    result = run("history", "--seed", "8")
    assert result.exit_code == 1
    assert "holds a world of seed 7, not 8" in result.stderr


def test_reset_forgets(run, sent, tmp_path):
    assert run("reset", "--yes").exit_code == 0
    assert Journal(tmp_path / "simulator").runs() == []
