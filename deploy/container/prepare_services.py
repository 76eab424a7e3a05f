"""Make what the services of docker-compose.airflow.yaml hold before anybody uses them.

Roles and databases of PostgreSQL; topics, the user of Kafka, and who may do what there.
What is there stays, but for the passwords: those that the service `secrets` keeps count
from now on. Without a login Kafka lets in only where Palate itself comes without one.
"""

import os
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
)
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from deploy.container.make_secrets import KAFKA_PLAIN, KAFKA_SECURED, POSTGRES
from deploy.local import kafka, postgres
from deploy.local.secrets import Secrets
from palate.clients import kafka_connection
from palate.settings import Settings, load_settings

_ANONYMOUS = "ANONYMOUS"
# What a pipeline, an order service and readers of tags need; not to delete a topic, nor
# to change settings, rights or logins.
_RIGHTS = [
    (ResourceType.TOPIC, AclOperation.READ),
    (ResourceType.TOPIC, AclOperation.WRITE),
    (ResourceType.TOPIC, AclOperation.CREATE),
    (ResourceType.GROUP, AclOperation.READ),
    (ResourceType.TRANSACTIONAL_ID, AclOperation.WRITE),
]


def main() -> None:
    """Prepare PostgreSQL and Kafka, which answer by now."""
    folder = Path(os.environ["PALATE_SECRETS"])
    secrets = Secrets.load(folder / "kept" / "secrets.json")
    superuser = postgres.dsn(5432, "postgres", secrets.postgres, "postgres", POSTGRES)
    passwords = postgres.role_passwords(secrets)
    postgres.make_databases(superuser, passwords)
    postgres.set_passwords(superuser, passwords)
    broker = broker_settings(secrets, folder / "airflow" / "ca.pem")
    kafka.make_topics(kafka.TOPICS, **kafka_connection.connection_options(broker))
    admin = AdminClient(kafka_connection.librdkafka_options(broker))
    _set_login(admin, secrets.kafka)
    _let_in(admin, kafka.USER)
    if os.environ["KAFKA_BOOTSTRAP"] == KAFKA_PLAIN:
        _let_in(admin, _ANONYMOUS)
    else:
        _shut_out(admin, _ANONYMOUS)


def broker_settings(secrets: Secrets, ca: Path) -> Settings:
    """Return how the broker's own login comes to it."""
    return load_settings(
        kafka_bootstrap=KAFKA_SECURED,
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username=kafka.BROKER,
        kafka_sasl_password=secrets.kafka_broker,
        kafka_ssl_ca_location=str(ca),
    )


def _set_login(admin: AdminClient, password: str) -> None:
    login = UserScramCredentialUpsertion(
        kafka.USER,
        ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096),
        password.encode(),
    )
    (change,) = admin.alter_user_scram_credentials([login]).values()
    change.result()


def _let_in(admin: AdminClient, user: str) -> None:
    rights = [
        AclBinding(
            kind,
            "*",
            ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for kind, operation in _RIGHTS
    ]
    for change in admin.create_acls(rights).values():
        change.result()


def _shut_out(admin: AdminClient, user: str) -> None:
    every = AclBindingFilter(
        ResourceType.ANY,
        None,  # type: ignore[arg-type]  # whatever its name
        ResourcePatternType.ANY,
        f"User:{user}",
        None,  # type: ignore[arg-type]  # from whatever host
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    (change,) = admin.delete_acls([every]).values()
    change.result()


if __name__ == "__main__":
    main()
