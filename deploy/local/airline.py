"""The airline's PostgreSQL: a primary, and a standby that streams from it."""

from pathlib import Path

from deploy.flights import source
from deploy.local import postgres
from deploy.local.cluster import Cluster
from deploy.local.ports import HOST, Ports
from deploy.local.secrets import Secrets
from deploy.local.settings_files import render

PRIMARY, STANDBY = "airline", "airline-standby"
# Only this machine.
_ADDRESS = f"{HOST}/32"


def superuser(port: int, secrets: Secrets, database: str = "postgres") -> str:
    """Return the administrator's address of either server."""
    return postgres.dsn(port, "postgres", secrets.airline_postgres, database)


def application(ports: Ports, secrets: Secrets) -> str:
    """Return the application's address of the primary."""
    login = (source.APPLICATION, secrets.airline)
    return postgres.dsn(ports.airline, *login, source.DATABASE)


def reader(ports: Ports, secrets: Secrets) -> str:
    """Return the reader's address of the standby."""
    login = (source.READER, secrets.airline_reader)
    return postgres.dsn(ports.airline_standby, *login, source.DATABASE)


def monitor(ports: Ports, secrets: Secrets) -> str:
    """Return the address of the primary for whoever watches the connector's slot."""
    login = (source.MONITOR, secrets.airline_monitor)
    return postgres.dsn(ports.airline, *login, source.DATABASE)


def prepare_primary(var: Path, ports: Ports, secrets: Secrets) -> None:
    """Create the primary's cluster if there is none, write its settings.

    :raises StackError: if initdb fails or the cluster is of another major version
    """
    cluster = Cluster(var, PRIMARY)
    cluster.make(secrets.airline_postgres)
    cluster.refuse_other_version()
    _configure(cluster, ports.airline)


def fill_primary(ports: Ports, secrets: Secrets) -> None:
    """Create what is missing of roles, tables and publication; the primary answers."""
    source.make_roles(superuser(ports.airline, secrets), source.passwords(secrets))
    source.make_tables(application(ports, secrets))


def prepare_standby(var: Path, ports: Ports, secrets: Secrets) -> None:
    """Copy the primary if there is no standby, write the standby's settings.

    A standby that was promoted stays what it is.

    :raises StackError: if the primary can't be copied, or the cluster is of another
        major version
    """
    cluster = Cluster(var, STANDBY)
    if not cluster.is_made:
        cluster.make_room()
    # libpq's file of logins: any server and database.
    login = cluster.write(
        "pgpass", f"*:*:*:{source.STANDBY}:{secrets.airline_standby}\n"
    )
    primary = f"host={HOST} port={ports.airline} user={source.STANDBY} passfile={login}"
    if not cluster.is_made:
        cluster.fill(
            "pg_basebackup",
            f"--dbname={primary}",
            f"--pgdata={cluster.folder}",
            f"--slot={source.STANDBY_SLOT}",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--write-recovery-conf",
        )
        # It has where the primary was, which would outlive another choice of ports.
        cluster.configure("postgresql.auto.conf", "")
    cluster.refuse_other_version()
    _configure(cluster, ports.airline_standby, primary)


def _configure(cluster: Cluster, port: int, primary: str = "") -> None:
    """Write the settings.

    :param primary: whom it follows, if it is a standby
    """
    conf = render(
        "airline.conf",
        address=HOST,
        port=port,
        socket_folder="",  # TCP only: a socket's path may have 107 bytes at most
        primary=primary,
        server=cluster.name,
        slot=source.STANDBY_SLOT,
    )
    cluster.configure("postgresql.conf", conf)
    hba = render("airline_hba.conf", clients=_ADDRESS, source=source, primary=primary)
    cluster.configure("pg_hba.conf", hba)
