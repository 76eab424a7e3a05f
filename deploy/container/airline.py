"""What the containers of the area flights get: the airline's servers, Connect."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy.flights import connector, source
from deploy.local import connect, postgres
from deploy.local.secrets import Secrets
from deploy.local.settings_files import render

# Their names in the network, and the folders of what they get.
PRIMARY, STANDBY, SIMULATOR, CONNECT = (
    "airline",
    "airline-standby",
    "airline-simulator",
    "connect",
)
# Where each sees its own.
OWN = Path("/run/palate")
# Each its own: where no engine runs them, all share one network.
_PORTS = {PRIMARY: 5433, STANDBY: 5434}
_PASSFILE = "/var/lib/postgresql/pgpass"


def superuser(secrets: Secrets) -> str:
    """Return the administrator's address of the primary."""
    password = secrets.airline_postgres
    return _dsn(PRIMARY, "postgres", password, "postgres")


def application(secrets: Secrets) -> str:
    """Return the application's address of the primary."""
    return _dsn(PRIMARY, source.APPLICATION, secrets.airline)


def reader(secrets: Secrets) -> str:
    """Return the reader's address of the standby."""
    return _dsn(STANDBY, source.READER, secrets.airline_reader)


def addresses(secrets: Secrets) -> dict[str, str]:
    """Return what the area's tasks and the watch need, by variable."""
    return {
        "FLIGHTS_STANDBY_DSN": reader(secrets),
        "FLIGHTS_PRIMARY_DSN": _dsn(PRIMARY, source.MONITOR, secrets.airline_monitor),
        "FLIGHTS_CONNECT_URL": f"http://{CONNECT}:8083",
    }


def files(
    secrets: Secrets, ca: str, kafka: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield each file, by its path below the folder of all secrets.

    :param ca: the authority's certificate
    :param kafka: how Connect comes to the broker, by Kafka's own names
    """
    primary = (
        f"host={PRIMARY} port={_PORTS[PRIMARY]} user={source.STANDBY} "
        f"passfile={_PASSFILE}"
    )
    yield f"{PRIMARY}/password", secrets.airline_postgres
    for server, follows in ((PRIMARY, ""), (STANDBY, primary)):
        conf = render(
            "airline.conf",
            address="*",
            port=_PORTS[server],
            socket_folder="/var/run/postgresql",
            primary=follows,
            server=server,
            slot=source.STANDBY_SLOT,
        )
        yield f"{server}/postgresql.conf", conf
        hba = render("airline_hba.conf", clients="all", source=source, primary=follows)
        yield f"{server}/pg_hba.conf", hba
    yield f"{STANDBY}/primary", primary
    yield f"{STANDBY}/pgpass", f"*:*:*:{source.STANDBY}:{secrets.airline_standby}\n"

    login = OWN / "login.properties"
    yield f"{CONNECT}/{login.name}", connect.login_file(secrets)
    yield f"{CONNECT}/ca.pem", ca
    yield f"{CONNECT}/log4j2.xml", (connect.HERE / "log4j2.xml").read_text()
    worker = render(
        "connect.properties",
        bootstrap=kafka["bootstrap.servers"],
        login_at_kafka={n: v for n, v in kafka.items() if n != "bootstrap.servers"},
        listener="http://0.0.0.0:8083",
        offsets="/kafka/data/offsets",
        plugins="/kafka/connect",
        login=login,
    )
    yield f"{CONNECT}/worker.properties", worker
    settings = connector.settings(PRIMARY, _PORTS[PRIMARY], login)
    yield f"{CONNECT}/connector.json", json.dumps(settings, indent=1) + "\n"
    yield (
        f"{SIMULATOR}/airline-simulator.env",
        f"FLIGHTS_AIRLINE_DSN={application(secrets)}\n",
    )


def _dsn(server: str, user: str, password: str, database: str = source.DATABASE) -> str:
    return postgres.dsn(_PORTS[server], user, password, database, server)
