"""Names that somebody else has chosen, through every door that shows them."""

import json

import pytest
import redis
from psycopg import Connection

from palate.engine.outcome import Caller
from palate.history import rebuild
from palate.settings import Settings
from tests.integration.broker import Broker
from tests.integration.shells import Shell, shell_of
from tests.unit.model.stories import DAY_1, dish, line, menu, raw
from tests.unit.test_text import HOSTILE

_COMMANDS = [
    "-v run",
    "status",
    "reconcile",
    "check",
    "tags list",
    "tags of u",
    "dictionaries show r",
    "rejected list",
    "rejected list --json",
    "tags list --json",
    "-v reload --from 2023-01-01 --to 2033-01-01",
    "rebuild vault",
]


@pytest.fixture
def hostile(broker: Broker, warehouse: Settings, connection: Connection) -> Shell:
    """Give the shell of a warehouse full of such names, some of them wrong by now."""
    shell, name = shell_of(warehouse), HOSTILE
    broker.send([raw(1, [line("d")]).value, HOSTILE.encode()])
    with redis.Redis.from_url(warehouse.redis_url.get_secret_value()) as client:
        client.set("r", menu("r", DAY_1, dish("d", name, category=name)).value)
        shell.lines("run")
    shell.lines("tags", "add", name, "--threshold", "1", "--dish", name)
    shell.lines("run")
    connection.execute("UPDATE dds.s_product_names SET name = name || '!'")
    connection.execute("UPDATE cdm.user_product_counters SET order_cnt = 7")
    connection.execute("UPDATE cdm.user_category_counters SET amount = 7")
    return shell


def test_nothing_that_is_printed_acts_on_a_terminal_or_forges_a_line(
    hostile: Shell,
) -> None:
    for command in _COMMANDS:
        done = hostile.palate(*command.split(), PALATE_LOCK_WAIT="1")
        shown = done.stdout + done.stderr
        assert shown, command
        odd = {char for char in shown if not char.isprintable()} - {"\n"}
        assert not odd, (command, odd)
        assert not set("\u3164\u202e") & set(shown), command
        lines = [one.strip() for one in shown.splitlines()]
        assert "Nothing differs" not in lines, command
        assert "# Nothing differs" not in lines, command


def test_report_of_a_rebuild_shows_keys_and_no_other_value(
    hostile: Shell, warehouse: Settings, connection: Connection
) -> None:
    caller = Caller.in_shell("rebuild")
    rebuild.build(warehouse, caller)
    found = rebuild.compare(warehouse, caller)

    assert found.differs
    text = found.markdown()
    assert [one for one in text.split("\n") if one.startswith("#")] == [
        "# Vault and marts, built anew from STG"
    ]
    (kept,) = connection.execute(
        "SELECT jsonb_agg(examples)::text FROM ops.rebuild_tables"
    ).fetchone() or ("",)
    for shown in (text, json.dumps(found.as_dict(), default=str), kept):
        assert "Nothing differs" not in shown
        assert "e.example" not in shown
    rebuild.discard(warehouse)
