"""Make the secrets of docker-compose.airflow.yaml, and the settings that hold them.

What is there stays. Each service gets a folder of its own, which is its volume, and
sees no other's::

    python -m deploy.container.make_secrets [--secured] [--renew NAME ...]
"""

import argparse
import json
import os
from dataclasses import fields
from pathlib import Path
from urllib.parse import quote

from deploy.container import airline, intake
from deploy.local import airflow_server, kafka, postgres, redis_server
from deploy.local.certificates import Authority
from deploy.local.secrets import Secrets, write_private
from deploy.local.settings_files import render

POSTGRES, REDIS, KAFKA = "postgres", "redis", "kafka"
# The second one with TLS and a login.
KAFKA_PLAIN, KAFKA_SECURED = f"{KAFKA}:9092", f"{KAFKA}:9094"
# The broker of Celery and the dictionaries share neither a number nor a user.
_CELERY_DATABASE = 1
# The superuser's password stands in PostgreSQL alone, from its first start on.
_RENEWABLE = sorted(
    {item.name for item in fields(Secrets)} - {"postgres", "airline_postgres"}
)


def main() -> None:
    """Write every folder below PALATE_SECRETS."""
    parser = argparse.ArgumentParser(prog="secrets", description=__doc__)
    parser.add_argument(
        "--secured", action="store_true", help="let all clients come by TLS and SCRAM"
    )
    parser.add_argument(
        "--renew", nargs="+", default=[], choices=_RENEWABLE, help="make these anew"
    )
    arguments = parser.parse_args()
    folder = Path(os.environ["PALATE_SECRETS"])
    secrets = _secrets(folder / "kept", arguments.renew)
    authority = Authority(folder / "kept", (POSTGRES, REDIS, KAFKA, "localhost"))
    authority.prepare()
    _write_servers(folder, secrets, authority)
    _write_clients(folder, secrets, authority, arguments.secured)
    kafka_login = _kafka_client(secrets, arguments.secured)
    ca = authority.certificate.read_text()
    own_ca = folder / intake.INTAKE / "ca.pem"
    login = (postgres.INTAKE, secrets.intake)
    addresses = {
        "DWH_DSN": _dsn(*login, "dwh", own_ca, arguments.secured),
        **_kafka(secrets, own_ca, arguments.secured),
    }
    for path, text in (
        *airline.files(secrets, ca, kafka_login),
        *intake.files(addresses, ca),
    ):
        _hand_over(folder / path, text)


def _secrets(folder: Path, renew: list[str]) -> Secrets:
    path = folder / "secrets.json"
    old = json.loads(path.read_text()) if path.exists() else {}
    if renew and old:
        kept = {name: value for name, value in old.items() if name not in renew}
        write_private(path, json.dumps(kept))
    secrets = Secrets.load(path)
    if "fernet_key" in renew and old:
        # What is encrypted by the old key stays readable.
        both = {"fernet_key": f"{secrets.fernet_key},{old['fernet_key']}"}
        write_private(path, json.dumps(json.loads(path.read_text()) | both))
    return Secrets.load(path)


def _write_servers(folder: Path, secrets: Secrets, authority: Authority) -> None:
    certificate = authority.server.read_text()
    for name in (POSTGRES, REDIS, KAFKA):
        _hand_over(folder / name / "server.pem", certificate)
    _hand_over(folder / POSTGRES / "password", secrets.postgres)
    _hand_over(
        folder / POSTGRES / "postgresql.conf",
        render(
            "postgresql.conf",
            address="*",
            port=5432,
            socket_folder="/var/run/postgresql",
        ),
    )
    _hand_over(folder / REDIS / "password", secrets.redis)
    own = Path(os.environ["PALATE_SERVER_SECRETS"])
    for name in (REDIS, KAFKA):
        _hand_over(folder / name / "ca.pem", authority.certificate.read_text())
    _hand_over(
        folder / KAFKA / "broker.properties",
        kafka.broker_login(secrets.kafka_broker, own / "ca.pem"),
    )
    _hand_over(
        folder / REDIS / "redis.conf",
        render(
            "redis.conf",
            address="*",
            port=6379,
            secured_port=6380,
            certificate=own / "server.pem",
            authority=own / "ca.pem",
            password=secrets.redis,
            users=redis_server.users(secrets),
            rights=redis_server.RIGHTS,
            folder="/data",
        ),
    )


def _write_clients(
    folder: Path, secrets: Secrets, authority: Authority, secured: bool
) -> None:
    airflow = folder / "airflow"
    ca = airflow / "ca.pem"
    _hand_over(ca, authority.certificate.read_text())
    _hand_over(airflow / "passwords.json", _login(secrets), mode=0o660)
    metadata = _dsn("airflow", secrets.airflow, "airflow", ca, secured)
    sqlalchemy = metadata.replace("postgresql:", "postgresql+psycopg2:")
    connections = _connections(secrets, ca, secured)
    environment = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": sqlalchemy,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{sqlalchemy}",
        "AIRFLOW__CELERY__BROKER_URL": _redis(
            redis_server.CELERY, secrets, ca, secured, database=_CELERY_DATABASE
        ),
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        **{f"AIRFLOW_CONN_{name}": json.dumps(c) for name, c in connections.items()},
        "PALATE_METRICS_TOKEN": secrets.metrics,
        "DWH_DSN": _dsn(postgres.TASKS, secrets.tasks, "dwh", ca, secured),
        "REDIS_URL": _redis(redis_server.PALATE, secrets, ca, secured),
        **_kafka(secrets, ca, secured),
        **airline.addresses(secrets),
        "PALATE_INTAKE_STORE": intake.STORE,
        "MART_DSN": _dsn("mart", secrets.mart, "mart", ca, secured),
    }
    owner = {
        "DWH_DSN": _dsn("palate", secrets.palate, "dwh", ca, secured),
        "REDIS_URL": _redis(redis_server.OWNER, secrets, ca, secured),
    }
    _hand_over(airflow / "airflow.env", _lines(environment))
    _hand_over(folder / "owner" / "owner.env", _lines(owner))
    simulator = {"REDIS_URL": _redis(redis_server.SIMULATOR, secrets, ca, secured)}
    _hand_over(folder / "simulator" / "simulator.env", _lines(simulator))


def _login(secrets: Secrets) -> str:
    return json.dumps({airflow_server.USER: secrets.admin})


def _dsn(user: str, password: str, database: str, ca: Path, secured: bool) -> str:
    dsn = postgres.dsn(5432, user, password, database, host=POSTGRES)
    tls = f"?sslmode=verify-full&sslrootcert={quote(str(ca))}"
    return dsn + tls if secured else dsn


def _redis(
    user: str, secrets: Secrets, ca: Path, secured: bool, database: int = 0
) -> str:
    login = f"{user}:{redis_server.users(secrets)[user]}"
    if not secured:
        return f"redis://{login}@{REDIS}:6379/{database}"
    return (
        f"rediss://{login}@{REDIS}:6380/{database}"
        f"?ssl_cert_reqs=required&ssl_ca_certs={quote(str(ca))}"
    )


def _kafka(secrets: Secrets, ca: Path, secured: bool) -> dict[str, str]:
    if not secured:
        return {"KAFKA_BOOTSTRAP": KAFKA_PLAIN}
    return {
        "KAFKA_BOOTSTRAP": KAFKA_SECURED,
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": kafka.USER,
        "KAFKA_SASL_PASSWORD": secrets.kafka,
        "KAFKA_SSL_CA_LOCATION": str(ca),
    }


def _kafka_client(secrets: Secrets, secured: bool) -> dict[str, str]:
    """Return how a program of Kafka's own comes to the broker."""
    if not secured:
        return {"bootstrap.servers": KAFKA_PLAIN}
    return {
        "bootstrap.servers": KAFKA_SECURED,
        "security.protocol": "SASL_SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(airline.OWN / "ca.pem"),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required "
            f'username="{kafka.USER}" password="{secrets.kafka}";'
        ),
    }


def _connections(
    secrets: Secrets, ca: Path, secured: bool
) -> dict[str, dict[str, object]]:
    names = {
        "KAFKA_BOOTSTRAP": "bootstrap.servers",
        "KAFKA_SECURITY_PROTOCOL": "security.protocol",
        "KAFKA_SASL_MECHANISM": "sasl.mechanism",
        "KAFKA_SASL_USERNAME": "sasl.username",
        "KAFKA_SASL_PASSWORD": "sasl.password",
        "KAFKA_SSL_CA_LOCATION": "ssl.ca.location",
    }
    tls = {"sslmode": "verify-full", "sslrootcert": str(ca)} if secured else {}
    redis_tls = {"ssl": True, "ssl_ca_certs": str(ca)} if secured else {}
    return {
        "DWH": {
            "conn_type": "postgres",
            "host": POSTGRES,
            "port": 5432,
            "login": postgres.TASKS,
            "password": secrets.tasks,
            "schema": "dwh",
            "extra": tls,
        },
        "KAFKA": {
            "conn_type": "kafka",
            "extra": {
                names[name]: value
                for name, value in _kafka(secrets, ca, secured).items()
            },
        },
        "REDIS": {
            "conn_type": "redis",
            "host": REDIS,
            "port": 6380 if secured else 6379,
            "login": redis_server.PALATE,
            "password": secrets.redis_palate,
            "extra": {"db": 0, **redis_tls},
        },
    }


def _lines(environment: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in environment.items())


def _hand_over(path: Path, text: str, mode: int = 0o640) -> None:
    """Write a file for a service, which runs as another user of the same group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, text)
    path.chmod(mode)


if __name__ == "__main__":
    main()
