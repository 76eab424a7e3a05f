"""What PostgreSQL refuses is a sentence: cause, place, and a next step that is true."""

from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from deploy.local import postgres
from deploy.local.ports import Ports
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from palate.database import connect
from palate.database_errors import explain
from palate.errors import (
    AccessDeniedError,
    PalateError,
    ServiceUnavailableError,
    SettingsError,
    WarehouseError,
)
from palate.settings import Settings
from tests.integration.broker import Broker
from tests.integration.shells import shell_of
from tests.unit.model.stories import line, raw


def _with(settings: Settings, **parts: Any) -> Settings:
    dsn = make_conninfo(settings.dwh_dsn.get_secret_value(), **parts)
    return settings.model_copy(update={"dwh_dsn": SecretStr(dsn)})


def _failure(settings: Settings, statement: str) -> PalateError:
    with pytest.raises(PalateError) as error, connect(settings, "Stage x") as conn:
        conn.execute(statement)
    return error.value


# (SQLSTATE, hint, class, whether another attempt may help, what the sentence says)
STATES = [
    ("25006", "", ServiceUnavailableError, True, "target_session_attrs=read-write"),
    ("40001", "", ServiceUnavailableError, True, "the same rows"),
    ("40P01", "", ServiceUnavailableError, True, "the same rows"),
    ("57014", "", ServiceUnavailableError, True, "was cancelled, by somebody"),
    ("53100", "", ServiceUnavailableError, True, "disk is full"),
    ("53200", "", ServiceUnavailableError, True, "out of memory"),
    (
        "53200",
        "You might need to increase max_locks_per_transaction.",
        ServiceUnavailableError,
        True,
        "max_locks_per_transaction (256) times",
    ),
    ("53300", "", ServiceUnavailableError, True, "all connections"),
    ("57P01", "", ServiceUnavailableError, True, "the connection to PostgreSQL was l"),
    ("55P03", "", ServiceUnavailableError, True, "lock_timeout (0)"),
    ("42501", "", AccessDeniedError, False, "Only the owner|palate_loader"),
    ("23514", "", WarehouseError, False, "refuses a row"),
    ("23505", "", WarehouseError, True, "refuses a row"),
    ("XX001", "", WarehouseError, False, "DataCorrupted, SQLSTATE XX001"),
    ("P0001", "", WarehouseError, False, "SQLSTATE P0001 (the words)"),
]


@pytest.mark.parametrize(("state", "hint", "kind", "retried", "part"), STATES)
def test_each_state_has_its_sentence(
    warehouse: Settings,
    state: str,
    hint: str,
    kind: type[PalateError],
    retried: bool,
    part: str,
) -> None:
    found = _failure(
        warehouse,
        "DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'the words', HINT ="
        f" '{hint}', ERRCODE = '{state}'; END $$",
    )

    assert type(found) is kind
    assert found.is_worth_retrying is retried
    assert str(found).startswith("Stage x: ")
    assert any(one in str(found) for one in part.split("|")), str(found)


def test_timeout_of_a_statement_names_the_limit_and_the_table(
    warehouse: Settings, connection: Connection
) -> None:
    hasty = _with(warehouse, options="-c statement_timeout=200ms")
    with connection.transaction():
        connection.execute("LOCK TABLE dds.h_user")
        found = _failure(hasty, "SELECT count(*) FROM dds.h_user")

    assert isinstance(found, ServiceUnavailableError)
    assert "Stage x: at dds.h_user: " in str(found)
    assert "statement_timeout (200ms)" in str(found)


def test_unknown_limit_of_a_cancelled_statement_blames_nobody_alone() -> None:
    """As at connect, where a limit that is too low also hides itself."""
    found = explain(psycopg.errors.QueryCanceled(), None, "Stage x")

    assert isinstance(found, ServiceUnavailableError)
    assert "by statement_timeout, or by somebody" in str(found)


def test_refused_row_shows_no_value(warehouse: Settings) -> None:
    pk = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    found = _failure(
        warehouse,
        "INSERT INTO dds.h_user (h_user_pk, user_id, load_dt, load_src) VALUES"
        f" ('{pk}', 'ada', now(), 'x'), ('{pk}', 'ada', now(), 'x')",
    )

    assert "the table dds.h_user refuses a row by h_user_pkey" in str(found)
    assert "ada" not in str(found)
    odd = _failure(warehouse, "SELECT 'secret'::integer")
    assert "InvalidTextRepresentation" in str(odd)
    assert "secret" not in str(odd)


def test_wrong_password_is_a_refused_login(warehouse: Settings) -> None:
    done = shell_of(_with(warehouse, password="wrong")).palate("run")

    assert done.returncode == 12
    assert "PostgreSQL (the warehouse) refuses the login" in done.stderr


def test_unknown_database_is_a_setting(warehouse: Settings) -> None:
    with pytest.raises(SettingsError, match="Create the database"):
        _failure_of(_with(warehouse, dbname="nowhere"))


def _failure_of(settings: Settings) -> None:
    with connect(settings):
        pass


def test_read_only_server_is_tried_again(
    broker: Broker, connection: Connection
) -> None:
    """As after a failover, when the address leads to a standby."""
    broker.send([raw(1, [line("d")]).value])
    name = sql.Identifier(connection.info.dbname)
    connection.execute(
        sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name)
    )

    done = shell_of(broker.settings).palate("run")

    assert done.returncode == 3
    assert "Stage drain: at ops.stage_runs: PostgreSQL is read-only here" in done.stderr


def test_login_without_temporary_tables_is_told_the_grant(
    broker: Broker, connection: Connection
) -> None:
    broker.send([raw(1, [line("d")]).value])
    name = sql.Identifier(connection.info.dbname)
    for role in ("PUBLIC", "palate"):
        connection.execute(
            sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM ").format(name)
            + sql.SQL(role)  # type: ignore[arg-type]
        )

    done = shell_of(broker.settings).palate("run")

    assert done.returncode == 12
    assert f"GRANT TEMPORARY ON DATABASE {connection.info.dbname} TO" in done.stderr


def test_extension_anywhere_and_search_path_of_any_kind(
    broker: Broker, connection: Connection, services: Stack
) -> None:
    broker.send([raw(1, [line("d")]).value])
    connection.execute('CREATE SCHEMA "Odd one"')
    secrets = Secrets.load(services.var / "secrets.json")
    super_user = _with(broker.settings, user="postgres", password=secrets.postgres)
    with connect(super_user) as conn:
        conn.execute('ALTER EXTENSION "uuid-ossp" SET SCHEMA "Odd one"')
    settings = _with(broker.settings, options="-c search_path=pg_catalog")

    done = shell_of(settings).palate("run")

    assert done.returncode == 0, done.stderr
    assert connection.execute("SELECT count(*) FROM dds.h_order").fetchone() == (1,)


def test_schema_that_may_not_be_used_is_named(
    broker: Broker, connection: Connection, services: Stack
) -> None:
    broker.send([raw(1, [line("d")]).value])
    connection.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    secrets = Secrets.load(services.var / "secrets.json")
    tasks = _with(broker.settings, user=postgres.TASKS, password=secrets.tasks)

    done = shell_of(tasks).palate("run")

    assert done.returncode == 12
    assert f"GRANT USAGE ON SCHEMA public TO {postgres.TASKS}" in done.stderr
    assert "Run `palate migrate`" not in done.stderr


def test_what_somebody_has_dropped_is_not_sent_to_migrate(
    broker: Broker, connection: Connection
) -> None:
    broker.send([raw(1, [line("d")]).value])
    connection.execute("ALTER TABLE cdm.user_product_counters RENAME amount TO sum")

    done = shell_of(broker.settings).palate("run")

    assert done.returncode == 21
    assert "Stage mart:user_product_counters: " in done.stderr
    assert "`palate migrate` does not help" in done.stderr


def test_older_warehouse_is_sent_to_migrate(
    warehouse: Settings, connection: Connection
) -> None:
    connection.execute("UPDATE ops.migrations SET version_num = '0004'")
    connection.execute("DROP TABLE ops.tag_outbox")

    found = _failure(warehouse, "SELECT * FROM ops.tag_outbox")

    assert isinstance(found, SettingsError)
    assert "at migration 0004 of" in str(found)
    assert str(found).endswith("Run `palate migrate`.")


def test_migration_by_a_login_that_may_not_is_told_so(
    warehouse: Settings, connection: Connection, services: Stack
) -> None:
    connection.execute("DROP SCHEMA ops, stg, dds, cdm CASCADE")
    secrets = Secrets.load(services.var / "secrets.json")
    tasks = _with(warehouse, user=postgres.TASKS, password=secrets.tasks)

    done = shell_of(tasks).palate("migrate")

    assert done.returncode == 12
    assert "Only the owner of the warehouse may do this" in done.stderr


def test_options_of_the_address_are_kept(warehouse: Settings) -> None:
    with connect(_with(warehouse, options="-c statement_timeout=5s")) as conn:
        row = conn.execute(
            "SELECT current_setting('statement_timeout'), current_setting('jit')"
        ).fetchone()

    assert row == ("5s", "off")


MISTYPED = [
    "postgresql://palate:s3c@ret@127.0.0.1:5432/dwh",
    "postgresql://palate:s3c/ret@127.0.0.1:5432/dwh",
    "postgresql://palate:12/s3cret@127.0.0.1:5432/dwh",
    "postgresql://palate:s3cret@127.0.0.1:5432/dwh?sslmod=require",
    "postgresql://palate:s3c%ret@127.0.0.1:5432/dwh",
    "postgresql+psycopg://palate:s3cret@127.0.0.1/dwh",
    "palate:s3cret@127.0.0.1:5432/dwh",
    "host=127.0.0.1 user=palate password=s3 cret dbname=dwh",
    "host=127.0.0.1 user=palate pasword=s3cret dbname=dwh",
    "host=127.0.0.1 user=palate password='s3cret dbname=dwh",
    "host=palate:s3cret@127.0.0.1 dbname=dwh",
]


@pytest.mark.parametrize("dsn", MISTYPED)
def test_mistyped_address_never_shows_its_password(dsn: str) -> None:
    with pytest.raises(SettingsError, match="DWH_DSN is no address") as error:
        _failure_of(Settings(dwh_dsn=dsn))

    assert "s3c" not in str(error.value)
    assert "cret" not in str(error.value)
    assert error.value.__cause__ is None


def test_mistyped_address_in_a_shell(warehouse: Settings) -> None:
    done = shell_of(warehouse).palate("status", DWH_DSN=MISTYPED[0])

    assert (done.returncode, done.stdout) == (2, "")
    assert "%40" in done.stderr
    assert "ret@" not in done.stderr


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("connect_timeout=5s", "connect_timeout is no whole number"),
        ("keepalives_idle=abc", "A part of the address is wrong"),
        ("options=-c%20nosuch%3D1", 'unrecognized configuration parameter "nosuch"'),
        ("options=-c%20work_mem%3Dmuch", 'invalid value for parameter "work_mem"'),
        ("service=nosuch", 'definition of service "nosuch" not found'),
    ],
)
def test_wrong_part_of_the_address_is_not_tried_again(
    warehouse: Settings, part: str, told: str
) -> None:
    dsn = f"{warehouse.dwh_dsn.get_secret_value()}?{part}"
    with pytest.raises(SettingsError, match=told):
        _failure_of(warehouse.model_copy(update={"dwh_dsn": SecretStr(dsn)}))


def test_address_by_a_service_file(
    warehouse: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(warehouse.dwh_dsn.get_secret_value())
    lines = ["[palate]", *(f"{name}={value}" for name, value in parts.items())]
    (tmp_path / "services").write_text("\n".join(lines))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    settings = warehouse.model_copy(update={"dwh_dsn": SecretStr("service=palate")})

    with connect(settings) as conn:
        assert conn.info.dbname == parts["dbname"]


def test_primary_is_found_among_several_hosts(warehouse: Settings) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(warehouse.dwh_dsn.get_secret_value())
    several = _with(
        warehouse,
        host="127.0.0.1,127.0.0.1",
        port=f"{Ports.free().postgres},{parts['port']}",
        target_session_attrs="read-write",
    )

    with connect(several) as conn:
        assert conn.info.port == int(str(parts["port"]))
