"""What the airline's database has, before anybody captures its changes."""

from pathlib import Path

import psycopg

from deploy.local import postgres
from deploy.local.secrets import Secrets

DATABASE = "demo"
# The application, which owns all; who streams to the standby; who captures the changes;
# who reads the standby; who watches the connector's slot.
APPLICATION, STANDBY, CONNECTOR, READER, MONITOR = (
    "airline",
    "airline_standby",
    "airline_connector",
    "airline_reader",
    "airline_monitor",
)
TABLES = (
    "aircrafts",
    "airports",
    "seats",
    "bookings",
    "tickets",
    "flights",
    "ticket_flights",
    "boarding_passes",
)
HEARTBEAT = "heartbeat"
PUBLICATION = SLOT = "palate_flights"
# Physical: the primary keeps what the standby has not yet, while it is down.
STANDBY_SLOT = "airline_standby"
_HERE = Path(__file__).parent


def passwords(secrets: Secrets) -> dict[str, str]:
    """Return the password of each role."""
    return {
        APPLICATION: secrets.airline,
        STANDBY: secrets.airline_standby,
        CONNECTOR: secrets.airline_connector,
        READER: secrets.airline_reader,
        MONITOR: secrets.airline_monitor,
    }


def make_roles(superuser: str, passwords: dict[str, str]) -> None:
    """Create what is missing of the primary's roles, database and slot.

    :param superuser: the address of its database ``postgres``, with the login
    """
    with psycopg.connect(superuser, autocommit=True) as conn:
        postgres.make_role(conn, APPLICATION, passwords[APPLICATION])
        postgres.make_role(conn, STANDBY, passwords[STANDBY], "REPLICATION")
        postgres.make_role(conn, CONNECTOR, passwords[CONNECTOR], "REPLICATION")
        postgres.make_role(conn, READER, passwords[READER])
        postgres.make_role(conn, MONITOR, passwords[MONITOR])
        postgres.make_database(conn, DATABASE, APPLICATION)
        conn.execute(
            "SELECT pg_create_physical_replication_slot(%(slot)s, true) WHERE NOT"
            " EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %(slot)s)",
            {"slot": STANDBY_SLOT},
        )


def make_tables(application: str) -> None:
    """Create what is missing of tables, rights and publication.

    :param application: the address of the database, with the application's login
    """
    with psycopg.connect(application) as conn:
        conn.execute("SET client_min_messages = warning")  # not "already exists"
        for name in ("schema", "rights"):
            conn.execute((_HERE / f"{name}.sql").read_bytes())
        there = conn.execute(
            "SELECT FROM pg_publication WHERE pubname = %s", (PUBLICATION,)
        )
        if not there.rowcount:
            conn.execute((_HERE / "publication.sql").read_bytes())
