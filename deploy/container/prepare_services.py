"""Make what the services of docker-compose.airflow.yaml hold before anybody uses them.

Roles and databases of PostgreSQL, topics and the user of Kafka. What is there stays,
but for the passwords: those that the service `secrets` keeps count from now on.
"""

import os
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from deploy.container.make_secrets import KAFKA, POSTGRES
from deploy.local import kafka, postgres
from deploy.local.secrets import Secrets

_BOOTSTRAP = f"{KAFKA}:9092"


def main() -> None:
    """Prepare PostgreSQL and Kafka, which answer by now."""
    folder = Path(os.environ["PALATE_SECRETS"])
    secrets = Secrets.load(folder / "kept" / "secrets.json")
    superuser = postgres.dsn(5432, "postgres", secrets.postgres, "postgres", POSTGRES)
    passwords = postgres.role_passwords(secrets)
    postgres.make_databases(superuser, passwords)
    postgres.set_passwords(superuser, passwords)
    kafka.make_topics(_BOOTSTRAP)
    _set_login(secrets.kafka)


def _set_login(password: str) -> None:
    login = UserScramCredentialUpsertion(
        kafka.USER,
        ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096),
        password.encode(),
    )
    admin = AdminClient({"bootstrap.servers": _BOOTSTRAP})
    (change,) = admin.alter_user_scram_credentials([login]).values()
    change.result()


if __name__ == "__main__":
    main()
