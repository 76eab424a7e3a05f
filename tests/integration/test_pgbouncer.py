"""Behind PgBouncer: sessions are kept apart in session mode, and only there."""

import pytest

from palate.database import connect
from palate.engine.stage import open_run
from palate.errors import SettingsError
from palate.settings import Settings
from tests.integration.broker import Broker
from tests.integration.shells import shell_of
from tests.integration.staged import caller
from tests.pooler import pooled
from tests.unit.model.stories import line, raw

IGNORED = {"ignore_startup_parameters": "options,extra_float_digits"}
SENTENCE = "a pooler that does not give each client a session of its own"


def test_session_mode_needs_no_setting(broker: Broker) -> None:
    broker.send([raw(1, [line("d")]).value])
    with pooled(broker.settings, "session") as settings:
        for orders in (1, 0):  # the second run gets sessions that were used
            done = shell_of(settings).palate("run")
            assert done.returncode == 0, done.stderr
            assert (f"messages {orders}" in done.stdout) is bool(orders)
        with open_run(settings, "drain", caller("drain")) as attempt:
            (held,) = attempt.conn.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database"
                " WHERE datname = current_database())"
            ).fetchone() or (0,)
    assert held == 2  # no lock of an earlier run is left


def test_session_mode_with_one_session_at_a_time(broker: Broker) -> None:
    """What proves the mode takes no more sessions than the work itself."""
    with (
        pooled(broker.settings, "session", default_pool_size=1) as settings,
        open_run(settings, "drain", caller("drain")) as attempt,
        attempt.batch([]),
    ):
        pass


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"default_pool_size": 1},
        {"server_reset_query_always": 1},
        {"server_lifetime": 0},
        {"server_round_robin": 1, "min_pool_size": 4},
    ],
    ids=["default", "one session", "reset always", "used once", "round robin"],
)
def test_other_modes_are_refused_at_connect(
    warehouse: Settings, mode: str, options: dict[str, object]
) -> None:
    with (
        pooled(warehouse, mode, **IGNORED, **options) as settings,
        pytest.raises(SettingsError, match=SENTENCE),
        connect(settings),
    ):
        pass


def test_refusal_is_what_the_command_says(warehouse: Settings) -> None:
    with pooled(warehouse, "transaction", **IGNORED) as settings:
        done = shell_of(settings).palate("run")
    assert (done.returncode, done.stdout) == (2, "")
    assert SENTENCE in done.stderr


def test_sessions_that_are_never_reset_are_refused(warehouse: Settings) -> None:
    with (
        pooled(warehouse, "session", server_reset_query="") as settings,
        pytest.raises(SettingsError, match="server_reset_query = DISCARD ALL"),
        open_run(settings, "drain", caller("drain")),
    ):
        pass


def test_options_that_a_pooler_refuses_get_a_sentence(warehouse: Settings) -> None:
    with pooled(warehouse, "session") as settings:
        dsn = settings.dwh_dsn.get_secret_value()
        options = f"{dsn} options='-c statement_timeout=1min'"
        done = shell_of(settings).palate("status", DWH_DSN=options)
    assert done.returncode == 2
    assert "leave `options` out of it" in done.stderr


def test_wrong_login_at_a_pooler_is_told_as_one(warehouse: Settings) -> None:
    with pooled(warehouse, "session") as settings:
        dsn = settings.dwh_dsn.get_secret_value()
        done = shell_of(settings).palate("status", DWH_DSN=f"{dsn} password=wrong")
    assert done.returncode == 12, done.stderr
