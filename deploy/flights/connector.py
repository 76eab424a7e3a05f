"""The settings of the connector: ``connector.json``, and where the airline is.

``python -m deploy.flights.connector <host>`` prints them as Kubernetes needs them.
"""

import json
import sys
from pathlib import Path

from deploy.flights import source

NAME = "flights"
FILE = Path(__file__).with_name("connector.json")


def settings(host: str, port: int, login: Path) -> dict[str, str]:
    """Return all settings of the connector; the login only by its place.

    :param host: of the primary
    :param login: the file with ``user`` and ``password``, which Connect reads itself
    """
    return {
        "name": NAME,
        **json.loads(FILE.read_text()),
        "database.hostname": host,
        "database.port": str(port),
        "database.dbname": source.DATABASE,
        "database.user": f"${{file:{login}:user}}",
        "database.password": f"${{file:{login}:password}}",
    }


def topics() -> dict[str, int]:
    """Return the topics of all tables, with their numbers of partitions.

    They are made beforehand: an empty table has no message, and whoever reads would
    miss its topic.
    """
    own = json.loads(FILE.read_text())
    prefix = own["topic.prefix"]
    partitions = int(own["topic.creation.default.partitions"])
    return {
        f"{prefix}.bookings.{table}": partitions
        for table in (*source.TABLES, source.HEARTBEAT)
    }


if __name__ == "__main__":
    (_host,) = sys.argv[1:]
    _login = Path("/etc/palate/connect/login.properties")
    print(json.dumps(settings(_host, 5432, _login), indent=1))
