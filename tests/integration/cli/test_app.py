"""The command ``palate``, as a process: what it prints, and how it ends."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import typer
from psycopg import Connection

from deploy.local.ports import Ports
from palate.cli.app import app
from palate.engine.outcome import Caller
from palate.landing import drain
from palate.pipelines import look_up_all
from palate.settings import Settings
from palate.vault import stage as vault
from tests.food import FOOD
from tests.integration.broker import Broker
from tests.integration.shells import Shell, shell_of
from tests.unit.model.stories import DAY_1, dish, line, menu, raw

NOBODY = Ports.free()
SENTENCES = {
    "postgres": "PostgreSQL (the warehouse) can't be reached: ",
    "kafka": f"Kafka at 127.0.0.1:{NOBODY.kafka} does not answer",
    "redis": "Redis (the dictionaries) at ",
}
DOWN = {
    "postgres": {"DWH_DSN": f"postgresql://a:b@127.0.0.1:{NOBODY.postgres}/dwh"},
    "kafka": {"KAFKA_BOOTSTRAP": f"127.0.0.1:{NOBODY.kafka}"},
    "redis": {"REDIS_URL": f"redis://127.0.0.1:{NOBODY.redis}/0"},
}


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


COMMANDS = list(_commands(typer.main.get_command(app), ()))


@pytest.fixture
def shell(warehouse: Settings) -> Shell:
    return shell_of(warehouse)


def test_run_and_status(shell: Shell, broker: Broker) -> None:
    values = [raw(number, [line("d")]).value for number in range(3)]
    broker.send([*values, b"no order"], partition=1)

    before = json.loads(shell.lines("status", "--json")[0])
    (waiting,) = [log for log in before["logs"] if log["end_offset"]]
    assert (waiting["topic"], waiting["partition"]) == (broker.raw, 1)
    assert (waiting["end_offset"], waiting["staged"], waiting["lag"]) == (4, 0, 4)
    assert waiting["oldest_waiting_seconds"] >= 0
    assert before["refused"] == {}
    assert before["last_batches"] == []
    assert before["problems"] == []

    lines = shell.lines("run")
    assert [one.split(":")[0] for one in lines] == [
        *("drain", "vault", "dictionaries"),
        *("mart", "mart", "tags", "publish"),
    ]
    assert lines[0] == f"drain: 1 batch; messages 4; {broker.raw}[1] 0..3."
    assert lines[2].startswith("dictionaries: nothing to do.")

    after = json.loads(shell.lines("status", "--json")[0])
    (done,) = [log for log in after["logs"] if log["end_offset"]]
    assert (done["staged"], done["loaded"], done["lag"]) == (4, 4, 0)
    assert set(done["marts"].values()) == {4}
    assert done["oldest_waiting_seconds"] is None
    assert after["refused"] == {"not_json": 1}
    assert after["waiting_ids"] == 2
    assert after["waiting_tags"] == 0
    assert after["last_batches"][-1]["stage"] == "drain"
    assert after["last_batches"][-1]["counts"] == {"messages": 4}

    for width in (30, 60, 80, 120):
        narrow = shell.palate("status", COLUMNS=str(width)).stdout.splitlines()
        assert max(map(len, narrow)) <= width
        # Broken over lines, perhaps, but not cut off.
        shown = "".join(line.split("│")[1] for line in narrow if "│" in line)
        assert f"{broker.raw}[1]" in (shown or "".join(narrow)).replace(" ", "")

    table = "\n".join(shell.lines("status"))
    assert f"{broker.raw}[1]" in table
    assert "Refused: not_json 1." in table
    assert "Ids that the dictionary does not know yet: 2." in table


def test_second_run_has_nothing_to_do(shell: Shell, broker: Broker) -> None:
    broker.send([raw(1).value])
    shell.lines("run")
    outcomes = [json.loads(one) for one in shell.lines("run", "--json")]
    assert [one["outcome"] for one in outcomes] == ["nothing"] * 7


def test_status_without_a_broker_shows_the_ledger(shell: Shell, broker: Broker) -> None:
    broker.send([raw(1).value])
    shell.lines("run")

    done = shell.palate("status", "--json", **DOWN["kafka"])

    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert [(log["end_offset"], log["staged"]) for log in found["logs"]] == [(None, 1)]
    assert any(SENTENCES["kafka"] in problem for problem in found["problems"])
    assert SENTENCES["kafka"] in shell.palate("status", **DOWN["kafka"]).stderr


def test_reconcile_names_the_rows_that_differ_and_rebuild_mends_them(
    shell: Shell, broker: Broker, connection: Connection
) -> None:
    broker.send([raw(number, [line("d"), line("x")]).value for number in range(3)])
    shell.lines("run")
    assert shell.lines("reconcile") == [
        "user_category_counters: 0 rows differ from the vault.",
        "user_product_counters: 0 rows differ from the vault.",
        "user_tags: 0 rows differ from the counters and rules.",
        "totals of user_category_counters: 0 rows differ from the mart.",
        "totals of user_product_counters: 0 rows differ from the mart.",
    ]

    connection.execute(
        "UPDATE cdm.user_product_counters SET order_cnt = 7 WHERE product_id ="
        " (SELECT h_product_pk FROM dds.h_product WHERE product_id = 'd')"
    )
    done = shell.palate("reconcile")
    assert done.returncode == 9
    assert "user_product_counters: 2 rows differ from the vault." in done.stdout
    assert "  what should be, " in done.stdout
    assert ", order_cnt 7, " in done.stdout
    assert "user_product_counters differ from what they follow from." in done.stderr

    done = shell.palate("reconcile", "--json")
    assert done.returncode == 9
    report = json.loads(done.stdout)
    same = {"differences": 0, "examples": [], "note": ""}
    assert report["user_category_counters"] == same
    assert report["user_product_counters"]["differences"] == 2
    examples = report["user_product_counters"]["examples"]
    assert [row["order_cnt"] for row in examples] == [7, 3]

    shell.lines("rebuild", "user_product_counters")
    assert shell.palate("reconcile").returncode == 0


def test_reconcile_tells_what_is_behind_from_what_is_wrong(
    shell: Shell, broker: Broker, connection: Connection, warehouse: Settings
) -> None:
    broker.send([raw(1, [line("d")]).value])
    shell.lines("run")
    broker.send([raw(2, [line("d")]).value])
    drain.run(warehouse, FOOD, Caller.in_shell("test"))
    vault.run(warehouse, FOOD, Caller.in_shell("test"))

    assert shell.lines("reconcile") == [
        "user_category_counters: 0 rows differ from the vault. What is not counted yet "
        "was left out.",
        "user_product_counters: 0 rows differ from the vault. What is not counted yet "
        "was left out.",
        "user_tags: 0 rows differ from the counters and rules.",
        "totals of user_category_counters: 0 rows differ from the mart.",
        "totals of user_product_counters: 0 rows differ from the mart.",
    ]

    # A menu may concern anybody.
    with redis.Redis.from_url(warehouse.redis_url.get_secret_value()) as client:
        client.set("r", menu("r", DAY_1, dish("d", "Soup")).value)
    look_up_all(warehouse, Caller.in_shell("test"))
    done = shell.palate("reconcile", PALATE_LOCK_WAIT="1")
    assert done.returncode == 7
    assert "user_product_counters: not compared. Entries of dictionaries" in done.stdout
    assert "user_product_counters can't be compared now." in done.stderr
    done = shell.palate("reconcile", "--json", PALATE_LOCK_WAIT="1")
    assert json.loads(done.stdout)["user_product_counters"]["differences"] is None

    shell.lines("run")
    assert shell.palate("reconcile").returncode == 0


def test_missing_row_and_row_too_many_differ(
    shell: Shell, broker: Broker, connection: Connection
) -> None:
    broker.send([raw(1, [line("d")]).value])
    shell.lines("run")
    connection.execute("UPDATE cdm.user_product_counters SET user_id = product_id")
    assert shell.palate("reconcile").returncode == 9
    connection.execute("DELETE FROM cdm.user_product_counters")
    assert shell.palate("reconcile").returncode == 9


def test_migrate_makes_everything_and_again_nothing(
    shell: Shell, connection: Connection
) -> None:
    connection.execute("DROP SCHEMA ops, stg, dds, cdm CASCADE")
    for command in ("run", "status", "reconcile", "rejected", "positions"):
        arguments = ["list"] if command in ("rejected", "positions") else []
        done = shell.palate(command, *arguments)
        assert (done.returncode, done.stdout) == (2, ""), command
        assert "Run `palate migrate`." in done.stderr

    (made,) = shell.lines("migrate")
    assert made.startswith("Made ")
    assert "s_order_item" in made
    assert "user_product_counters" in made
    assert shell.lines("migrate") == ["The warehouse is up to date."]
    assert shell.palate("run").returncode == 0


def test_dictionaries_sync(shell: Shell, broker: Broker) -> None:
    broker.send([raw(1).value])
    shell.lines("run")
    done = shell.palate("dictionaries", "sync", "--json")
    assert done.returncode == 0
    outcome = json.loads(done.stdout.splitlines()[0])
    assert outcome["counts"]["asked"] == 2
    assert "2 dictionary entries count as missing" in done.stderr


def test_dictionaries_show(shell: Shell, broker: Broker, warehouse: Settings) -> None:
    broker.send([raw(1, [line("d")]).value])
    shell.lines("run")
    with redis.Redis.from_url(warehouse.redis_url.get_secret_value()) as client:
        client.set("r", menu("r", DAY_1, dish("d", "Лобио", category="Суп")).value)
        assert shell.lines("dictionaries", "show", "r")[1] == (
            f"Redis has a version of {DAY_1} that is not staged yet."
        )
        shell.lines("dictionaries", "sync")

    shown = "\n".join(shell.lines("dictionaries", "show", "r"))
    assert shown.startswith("r: restaurant Restaurant\n")
    assert f"Redis has the version of {DAY_1}, which is staged." in shown
    assert re.search(r"d +│ Лобио +│ 100 +│ Суп +│ the beginning", shown), shown
    guest = shell.lines("dictionaries", "show", "u")
    assert "Asked for again for the entry: there is no such key" in guest[2]
    found = json.loads(shell.lines("dictionaries", "show", "r", "--json")[0])
    assert (found["kind"], len(found["menu"])) == ("restaurant", 1)
    nobody = shell.palate("dictionaries", "show", "nobody")
    assert (nobody.returncode, nobody.stdout) == (11, "")
    assert "Nobody knows the id nobody" in nobody.stderr


@pytest.mark.parametrize(
    "command",
    ["migrate", "run", "status", "reconcile", "dictionaries sync", "rejected list"],
)
def test_postgres_that_is_down_gets_a_sentence(shell: Shell, command: str) -> None:
    done = shell.palate(*command.split(), **DOWN["postgres"])
    assert (done.returncode, done.stdout) == (3, "")
    assert SENTENCES["postgres"] in done.stderr
    assert "make status" in done.stderr


def test_kafka_that_is_down_gets_a_sentence(shell: Shell) -> None:
    done = shell.palate("run", **DOWN["kafka"])
    assert done.returncode == 3
    assert "drain" not in done.stdout
    assert SENTENCES["kafka"] in done.stderr


def test_redis_that_is_down_gets_a_sentence_after_the_orders_are_loaded(
    shell: Shell, broker: Broker, connection: Connection
) -> None:
    broker.send([raw(1, [line("d")]).value])
    done = shell.palate("run", **DOWN["redis"])
    assert done.returncode == 3
    assert SENTENCES["redis"] in done.stderr
    assert connection.execute("SELECT count(*) FROM dds.h_order").fetchone() == (1,)
    # The marts follow with the next run.
    assert shell.palate("run").returncode == 0
    query = "SELECT count(*) FROM cdm.user_product_counters"
    assert connection.execute(query).fetchone() == (1,)


# (environment, exit code, what the sentence must say)
WRONG = {
    "no_dsn": ({"DWH_DSN": ""}, 3, "PostgreSQL"),
    "dsn_that_is_none": ({"DWH_DSN": "nonsense"}, 2, "DWH_DSN is no address"),
    "no_bootstrap": ({"KAFKA_BOOTSTRAP": ""}, 3, "KAFKA_BOOTSTRAP is not set"),
    "bootstrap_that_is_none": ({"KAFKA_BOOTSTRAP": "nonsense:x"}, 2, "nonsense:x"),
    "host_that_is_none": ({"KAFKA_BOOTSTRAP": "no.such.host:9092"}, 3, "no.such.host"),
    "topics_that_are_no_json": ({"PALATE_TOPICS": "nonsense"}, 2, "PALATE_TOPICS"),
    "form_that_is_none": ({"PALATE_TOPICS": '{"t": "x"}'}, 2, "PALATE_TOPICS"),
    "number_that_is_none": ({"PALATE_DRAIN_MESSAGES": "x"}, 2, "PALATE_DRAIN_MESSAGES"),
    "number_too_small": ({"PALATE_VAULT_LANES": "0"}, 2, "PALATE_VAULT_LANES"),
    "missing_topic": ({"PALATE_TOPICS": '{"no-topic": "raw"}'}, 4, "topic no-topic"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_setting_gets_a_sentence(shell: Shell, name: str) -> None:
    env, code, sentence = WRONG[name]
    done = shell.palate("run", **env)
    assert (done.returncode, "drain" in done.stdout) == (code, False)
    assert sentence in done.stderr


def test_missing_setting_gets_a_sentence(shell: Shell) -> None:
    del shell.env["DWH_DSN"]
    done = shell.palate("status")
    assert done.returncode == 2
    assert "DWH_DSN: Field required" in done.stderr
    assert "make up" in done.stderr


@pytest.mark.parametrize("arguments", [["nonsense"], ["run", "--nonsense"]])
def test_unknown_command_or_option_is_named(shell: Shell, arguments: list[str]) -> None:
    done = shell.palate(*arguments)
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_unknown_mart_is_named_with_those_there(shell: Shell) -> None:
    done = shell.palate("rebuild", "nonsense")
    assert done.returncode == 2
    assert "There is no mart nonsense." in done.stderr
    assert "user_product_counters" in done.stderr


def test_help_names_every_command(shell: Shell) -> None:
    text = "\n".join(shell.lines("--help"))
    commands = [path[0] for path, _ in COMMANDS if len(path) == 1]
    assert "reconcile" in commands
    assert [name for name in commands if f" {name} " not in text] == []


@pytest.mark.parametrize(
    ("path", "command"),
    [pytest.param(path, command, id=" ".join(path)) for path, command in COMMANDS],
)
def test_every_command_and_option_says_what_it_does(
    path: tuple[str, ...], command: Any
) -> None:
    assert (command.help or "").rstrip().endswith(".")
    options = [p for p in command.params if not getattr(p, "hidden", False)]
    assert [p.name for p in options if not getattr(p, "help", None)] == []


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("rejected list --reason x", "There is no reason x. There are: not_json, "),
        ("rejected list --topic x", "There is no topic x. There are: "),
        ("rejected replay --from 20260102", "--from is '20260102', which is no time"),
        ("rejected dismiss --why w --offset x", "'x' is no offset"),
        ("reload --from 2026-13-45 --to 2026-01-01", "--from is '2026-13-45', which"),
        (
            "reload --from 2026-01-02 --to 2026-01-02T00:00Z",
            "--from, 2026-01-02 00:00:00 UTC, is not before --to, 2026-01-02",
        ),
    ],
)
def test_request_that_cant_be_meant_is_refused(
    shell: Shell, command: str, sentence: str
) -> None:
    done = shell.palate(*command.split())

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Request: ")
    assert sentence in done.stderr
