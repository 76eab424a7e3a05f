"""Make what the airline's primary holds before anybody captures its changes.

Roles, tables and publication there; the topics of the tables; the database of the
mart's copy. What is there stays, but for the passwords: those that the service
`secrets` keeps count from now on.
"""

import os
from pathlib import Path

import psycopg

from deploy.container import airline
from deploy.container.make_secrets import POSTGRES
from deploy.container.prepare_services import broker_settings
from deploy.flights import connector, source
from deploy.local import flights, kafka, postgres
from deploy.local.secrets import Secrets
from palate.clients import kafka_connection


def main() -> None:
    """Prepare the primary and Kafka, which answer by now."""
    folder = Path(os.environ["PALATE_SECRETS"])
    secrets = Secrets.load(folder / "kept" / "secrets.json")
    passwords = source.passwords(secrets)
    superuser = airline.superuser(secrets)
    source.make_roles(superuser, passwords)
    postgres.set_passwords(superuser, passwords)
    source.make_tables(airline.application(secrets))
    warehouse = postgres.dsn(5432, "postgres", secrets.postgres, "postgres", POSTGRES)
    with psycopg.connect(warehouse, autocommit=True) as conn:
        for database, owner in flights.DATABASES.items():
            postgres.make_role(conn, owner, secrets.mart)
            postgres.make_database(conn, database, owner)
    postgres.set_passwords(warehouse, {"mart": secrets.mart})
    options = kafka_connection.connection_options(
        broker_settings(secrets, folder / "airflow" / "ca.pem")
    )
    kafka.make_topics(connector.topics(), **options)


if __name__ == "__main__":
    main()
