"""What the containers of the area files get: the service's login, its proxy's settings.

Two replicas, each a service with a port of its own: where no engine runs them, all
share one network.
"""

from collections.abc import Iterator, Mapping

from deploy.local.settings_files import render

INTAKE, PROXY = "intake", "intake-proxy"
PORTS = {"intake-1": 8091, "intake-2": 8092}
# Where files are kept, unless PALATE_INTAKE_STORE says another place: a volume that
# both replicas and the tasks see.
STORE = "file:///opt/airflow/files"


def files(addresses: Mapping[str, str], ca: str) -> Iterator[tuple[str, str]]:
    """Yield each file, by its path below the folder of all secrets.

    :param addresses: of the warehouse and Kafka with the service's logins, by variable
    :param ca: the authority's certificate
    """
    settings = {**addresses, "PALATE_INTAKE_STORE": STORE}
    yield f"{INTAKE}/intake.env", "".join(f"{n}={v}\n" for n, v in settings.items())
    yield f"{INTAKE}/ca.pem", ca
    yield f"{PROXY}/haproxy.cfg", render("haproxy.cfg", port=8090, replicas=PORTS)
