"""The secured doors of a real broker, a real Redis and a real PostgreSQL."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from kafka import KafkaProducer
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ConfigResource,
    ConfigResourceType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from deploy.local import postgres
from deploy.local.certificates import Authority
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from palate.clients import redis_connection, tls
from palate.clients.kafka_connection import connection_options
from palate.clients.kafka_reader import open_reader
from palate.clients.kafka_sender import open_sender
from palate.clients.redis_connection import open_redis, read_values
from palate.database import connect
from palate.engine.outcome import Caller
from palate.errors import (
    AccessDeniedError,
    PalateError,
    SettingsError,
    TopicMissingError,
)
from palate.landing import drain
from palate.monitoring.bell import WaitingMessages
from palate.settings import Settings
from palate.simulate.services import Kafka
from tests.food import FOOD
from tests.integration.broker import Broker

KEYSTORE = "listener.name.sasl_ssl.ssl.keystore.location"
PASSWORD = "a guest's secret"


@pytest.fixture
def secured(warehouse: Settings, services: Stack) -> Settings:
    """Give the settings of a warehouse by the secured doors."""
    values = {name.lower(): value for name, value in services.secured_env().items()}
    return _changed(warehouse, palate_kafka_timeout=1.5, **values)


@pytest.fixture
def other_authority(tmp_path: Path) -> Path:
    other = Authority(tmp_path)
    other.prepare()
    return other.certificate


@pytest.fixture
def guest(broker: Broker, secured: Settings) -> Settings:
    """Give the settings of a user who may do nothing yet."""
    name = f"guest_{secured.dwh_dsn.get_secret_value()[-8:]}"
    broker.admin.alter_user_scram_credentials(
        [UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, PASSWORD)]
    )
    return _changed(secured, kafka_sasl_username=name, kafka_sasl_password=PASSWORD)


def test_pipeline_reads_by_the_secured_doors(
    secured: Settings, broker: Broker, connection: psycopg.Connection
) -> None:
    with WaitingMessages(secured, secured.palate_topics) as watch:
        assert not watch.should_ring()
        broker.send([b"connection test"])
        assert watch.should_ring()
    drain.run(secured, FOOD, Caller.in_shell("drain"))
    assert connection.execute("SELECT message FROM stg.order_events").fetchall() == [
        (b"connection test",)
    ]
    with open_redis(secured, "a test", "") as client:
        client.set("key", "value")
        assert client.get("key") == b"value"


def test_producer_and_admin_have_the_same_options(
    secured: Settings, broker: Broker
) -> None:
    options = connection_options(secured)
    broker.send([b"one"], producer=KafkaProducer(**options))
    admin = KafkaAdminClient(**options)
    assert broker.raw in admin.list_topics()
    admin.close()
    with Kafka(secured, [broker.raw]) as simulator:
        assert simulator is not None


WRONG_FOR_KAFKA = {
    "password": (
        {"kafka_sasl_password": "a-wrong-one"},
        "refuses the login of user palate by SCRAM-SHA-512",
    ),
    "user": (
        {"kafka_sasl_username": "nobody"},
        "refuses the login of user nobody by SCRAM-SHA-512",
    ),
    "mechanism": (
        {"kafka_sasl_mechanism": "PLAIN"},
        "takes no login by PLAIN there; it takes SCRAM-SHA-512",
    ),
    "protocol": (
        {"kafka_security_protocol": "PLAINTEXT"},
        "speaks TLS there, but KAFKA_SECURITY_PROTOCOL is PLAINTEXT",
    ),
    "no login": (
        {"kafka_security_protocol": "SSL"},
        "does not answer (KafkaTimeoutError). Check that the broker runs "
        "(`make status`) and that KAFKA_BOOTSTRAP, KAFKA_SECURITY_PROTOCOL (SSL)",
    ),
    "authorities of the system": (
        {"kafka_ssl_ca_location": None},
        "its certificate was not issued by the system's authorities",
    ),
    "no such file": (
        {"kafka_ssl_ca_location": "/nowhere/ca.pem"},
        "KAFKA_SSL_CA_LOCATION, /nowhere/ca.pem, can't be used: No such file",
    ),
    "no certificate": (
        {"kafka_ssl_ca_location": __file__},
        "can't be used: there is no certificate in it",
    ),
    "nothing set": (
        {"kafka_sasl_username": "", "kafka_sasl_password": ""},
        "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD is not set",
    ),
}


@pytest.mark.parametrize(
    ("case", "client"),
    [*[(case, "pipeline") for case in WRONG_FOR_KAFKA]]
    + [(case, "simulator") for case in ("password", "protocol", "no such file")],
)
def test_broker_that_refuses_is_explained(
    secured: Settings, broker: Broker, case: str, client: str
) -> None:
    values, sentence = WRONG_FOR_KAFKA[case]
    _refused(_changed(secured, **values), broker, client, sentence)


def test_login_at_the_plain_door_is_explained(
    secured: Settings, warehouse: Settings, broker: Broker
) -> None:
    client = "pipeline"
    plain = {"kafka_bootstrap": warehouse.kafka_bootstrap}
    _refused(_changed(secured, **plain), broker, client, "it does not speak TLS there")
    without = _changed(secured, kafka_security_protocol="SASL_PLAINTEXT", **plain)
    _refused(without, broker, client, "it takes none at all")


@pytest.mark.parametrize("client", ["pipeline", "simulator"])
def test_certificate_of_another_authority_is_explained(
    secured: Settings, broker: Broker, other_authority: Path, client: str
) -> None:
    changed = _changed(secured, kafka_ssl_ca_location=other_authority)
    sentence = f"its certificate was not issued by the authorities in {other_authority}"
    _refused(changed, broker, client, sentence)


@pytest.mark.parametrize("client", ["pipeline", "simulator"])
def test_expired_certificate_of_the_broker_is_explained(
    secured: Settings, services: Stack, broker: Broker, tmp_path: Path, client: str
) -> None:
    expired = tmp_path / "expired.pem"
    services.authority.issue(expired, valid=-timedelta(days=1))
    with _keystore(broker.admin, secured, expired, services.authority.server):
        _refused(secured, broker, client, "its certificate has expired")


def test_missing_permission_names_user_topic_and_permission(
    guest: Settings, broker: Broker
) -> None:
    for client in ("pipeline", "simulator"):
        _refused(guest, broker, client, f"at topic {broker.raw}. Topics that are read")

    # To describe a topic is not to read it.
    broker.send([b"one"])
    _allow(broker, guest, ACLOperation.DESCRIBE)
    with pytest.raises(AccessDeniedError, match=f"at topic {broker.raw}"):
        drain.run(guest, FOOD, Caller.in_shell("drain"))
    with Kafka(guest, [broker.raw]):
        pass  # it may look; what it sends is refused

    _allow(broker, guest, ACLOperation.READ)
    outcome = drain.run(guest, FOOD, Caller.in_shell("drain"))
    assert outcome.counts["messages"] == 1


def test_shell_ends_with_the_sentence_and_shows_no_secret(
    secured: Settings, services: Stack
) -> None:
    wrong = "a wrong password"
    env = {
        "DWH_DSN": secured.dwh_dsn.get_secret_value(),
        **services.secured_env(),
        "KAFKA_SASL_PASSWORD": wrong,
        "PALATE_KAFKA_TIMEOUT": "1.5",
        "COLUMNS": "10000",
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("palate")), "-v", "run"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 12
    assert "refuses the login of user palate by SCRAM-SHA-512" in done.stderr
    for secret in (wrong, *_secrets(services)):
        assert secret not in done.stdout + done.stderr


WRONG_FOR_REDIS = {
    "password": (
        lambda url: url.replace("rediss://:", "rediss://:x"),
        "refuses the login of user default",
    ),
    "no password": (
        lambda url: "rediss://" + url.partition("@")[2],
        "refuses the login of user default",
    ),
    "user": (
        lambda url: url.replace("rediss://:", "rediss://nobody:"),
        "refuses the login of user nobody",
    ),
    "plain": (
        lambda url: url.replace("rediss://", "redis://").partition("?")[0],
        "but is spoken to without. Say rediss:// and ssl_ca_certs",
    ),
    "authorities of the system": (
        lambda url: url.partition("?")[0],
        "its certificate was not issued by the system's authorities",
    ),
    "no such file": (
        lambda url: url.partition("?")[0] + "?ssl_ca_certs=/nowhere/ca.pem",
        "/nowhere/ca.pem, the authority of Redis, can't be used: No such file",
    ),
}


@pytest.mark.parametrize("case", WRONG_FOR_REDIS)
def test_redis_that_refuses_is_explained(
    secured: Settings, services: Stack, case: str
) -> None:
    change, sentence = WRONG_FOR_REDIS[case]
    url = change(secured.redis_url.get_secret_value())
    _redis_refuses(_changed(secured, redis_url=url), sentence, services)


def test_redis_of_another_authority_is_explained(
    secured: Settings, services: Stack, other_authority: Path
) -> None:
    url = secured.redis_url.get_secret_value().partition("?")[0]
    url = f"{url}?ssl_ca_certs={other_authority}"
    sentence = f"its certificate was not issued by the authorities in {other_authority}"
    _redis_refuses(_changed(secured, redis_url=url), sentence, services)


def test_tls_at_the_plain_door_of_redis_is_explained(
    secured: Settings,
    warehouse: Settings,
    services: Stack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_connection, "_SECONDS", 1)  # each waits for the other
    url = warehouse.redis_url.get_secret_value().replace("redis://", "rediss://")
    _redis_refuses(
        _changed(secured, redis_url=url), "it does not speak TLS there", services
    )


def test_expired_certificate_of_redis_is_explained(
    secured: Settings, warehouse: Settings, services: Stack, tmp_path: Path
) -> None:
    expired = tmp_path / "expired.pem"
    services.authority.issue(expired, valid=-timedelta(days=1))
    url = warehouse.redis_url.get_secret_value()
    with redis.Redis.from_url(url) as client:
        _show(client, expired)
        try:
            _redis_refuses(secured, "its certificate has expired", services)
        finally:
            _show(client, services.authority.server)


def test_missing_permission_at_redis_names_what_is_needed(
    secured: Settings, warehouse: Settings, services: Stack
) -> None:
    with redis.Redis.from_url(warehouse.redis_url.get_secret_value()) as client:
        client.acl_setuser("writer", enabled=True, passwords=["+pw"], commands=["+set"])
        try:
            url = secured.redis_url.get_secret_value()
            host = url.partition("@")[2]
            changed = _changed(secured, redis_url=f"rediss://writer:pw@{host}")
            sentence = "does not let user writer do it"
            _redis_refuses(changed, sentence, services)
        finally:
            client.acl_deluser("writer")


def test_postgres_is_checked_as_its_address_says(
    secured: Settings, services: Stack, other_authority: Path
) -> None:
    own, other = services.authority.certificate, other_authority
    with _tls_at_postgres(services):
        with connect(_demanding(secured, own)) as conn:
            assert conn.execute(
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            ).fetchone() == (True,)
        with (
            pytest.raises(AccessDeniedError, match="certificate verify failed"),
            connect(_demanding(secured, other)),
        ):
            pass


def test_publishing_says_which_permission_it_lacks(
    guest: Settings, secured: Settings, broker: Broker
) -> None:
    """The topic, the transactional id, and to make a topic that isn't there."""
    guest, secured = (_changed(s, palate_kafka_timeout=15) for s in (guest, secured))
    with open_sender(secured, broker.raw, {}) as sender:
        assert sender.send([("key", b"value")]) == 1

    refused = pytest.raises(AccessDeniedError, match=f"at topic {broker.raw}")
    with refused, open_sender(guest, broker.raw, {}):
        pass
    _allow(broker, guest, ACLOperation.WRITE)
    refused = pytest.raises(AccessDeniedError, match=f"at .* id palate:{broker.raw}")
    with refused, open_sender(guest, broker.raw, {}):
        pass

    new = f"{broker.raw}_new"
    _allow(broker, guest, ACLOperation.DESCRIBE, [new])
    refused = pytest.raises(
        TopicMissingError, match=f"no topic {new}, and does not let"
    )
    with refused, open_sender(guest, new, {}):
        pass


def _refused(settings: Settings, broker: Broker, client: str, sentence: str) -> None:
    """Ask the broker; compare what a person is told."""
    with pytest.raises(PalateError) as error:
        _ask(settings, broker.raw, client)
    assert sentence in str(error.value)
    assert settings.kafka_bootstrap in str(error.value) or isinstance(
        error.value, SettingsError
    )
    password = settings.kafka_sasl_password.get_secret_value()
    assert not password or password not in str(error.value)


def _ask(settings: Settings, topic: str, client: str) -> None:
    if client == "simulator":
        Kafka(settings, [topic])
        return
    with open_reader(settings) as reader:
        reader.state(topic)


def _redis_refuses(settings: Settings, sentence: str, services: Stack) -> None:
    with (
        pytest.raises((AccessDeniedError, SettingsError)) as error,
        open_redis(settings, "the dictionaries", "") as client,
    ):
        read_values(client, ["one", "two"])
    assert sentence in str(error.value)
    for secret in _secrets(services):
        assert secret not in str(error.value)


def _changed(settings: Settings, **values: Any) -> Settings:
    return Settings.model_validate({**settings.model_dump(), **values})


def _secrets(services: Stack) -> list[str]:
    env = services.secured_env()
    return [
        env["KAFKA_SASL_PASSWORD"],
        env["REDIS_URL"].partition("@")[0].removeprefix("rediss://:"),
    ]


@contextmanager
def _keystore(
    admin: KafkaAdminClient, settings: Settings, shown: Path, usual: Path
) -> Iterator[None]:
    """Let the broker show another certificate at its secured door."""

    def show(path: Path, is_wrong: bool) -> None:
        config = {KEYSTORE: str(path)}
        one = ConfigResource(ConfigResourceType.BROKER, "1", configs=config)
        admin.alter_configs([one], raise_on_unknown=False)
        host, port = settings.kafka_bootstrap.split(":")
        ca = settings.kafka_ssl_ca_location
        deadline = time.monotonic() + 30
        in_a_row = 0  # each of the broker's network threads takes it on by itself
        while in_a_row < 6:
            is_shown = bool(tls.problem(host, int(port), ca)) is is_wrong
            in_a_row = in_a_row + 1 if is_shown else 0
            assert time.monotonic() < deadline

    show(shown, is_wrong=True)
    try:
        yield
    finally:
        show(usual, is_wrong=False)


def _show(client: "redis.Redis", certificate: Path) -> None:
    client.execute_command(
        "CONFIG",
        "SET",
        *("tls-cert-file", str(certificate)),
        *("tls-key-file", str(certificate)),
    )


def _demanding(settings: Settings, authority: Path) -> Settings:
    dsn = settings.dwh_dsn.get_secret_value()
    return _changed(
        settings, dwh_dsn=f"{dsn}?sslmode=verify-full&sslrootcert={authority}"
    )


@contextmanager
def _tls_at_postgres(services: Stack) -> Iterator[None]:
    """Let PostgreSQL take TLS connections too."""
    password = Secrets.load(services.var / "secrets.json").postgres
    dsn = postgres.dsn(services.ports.postgres, "postgres", password, "postgres")
    with psycopg.connect(dsn, autocommit=True) as conn:
        folder = Path(conn.execute("SHOW data_directory").fetchone()[0])
        file = folder / "server.pem"
        services.authority.issue(file)
        os.chown(file, folder.stat().st_uid, folder.stat().st_gid)
        for name, value in {
            "ssl_cert_file": file,
            "ssl_key_file": file,
            "ssl": "on",
        }.items():
            conn.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        _reload(conn, "on")
        try:
            yield
        finally:
            for name in ("ssl", "ssl_cert_file", "ssl_key_file"):
                conn.execute(f"ALTER SYSTEM RESET {name}")
            _reload(conn, "off")


def _reload(conn: psycopg.Connection, ssl: str) -> None:
    conn.execute("SELECT pg_reload_conf()")
    deadline = time.monotonic() + 30
    while conn.execute("SHOW ssl").fetchone() != (ssl,):
        assert time.monotonic() < deadline


def _allow(
    broker: Broker,
    user: Settings,
    operation: ACLOperation,
    topics: Iterable[str] = (),
) -> None:
    broker.admin.create_acls(
        [
            ACL(
                principal=f"User:{user.kafka_sasl_username}",
                host="*",
                operation=operation,
                permission_type=ACLPermissionType.ALLOW,
                resource_pattern=ResourcePattern(ResourceType.TOPIC, topic),
            )
            for topic in topics or user.palate_topics
        ]
    )
