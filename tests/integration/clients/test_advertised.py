"""A broker that tells its clients an address at which nobody can reach it."""

import subprocess
import time
from collections.abc import Iterator

import pytest

from deploy.local import kafka
from deploy.local.certificates import Authority
from deploy.local.ports import HOST, Ports
from deploy.local.secrets import Secrets
from palate.clients.kafka_reader import open_reader
from palate.clients.kafka_sender import open_sender
from palate.errors import PalateError, ServiceUnavailableError
from palate.settings import Settings, load_settings
from tests.redis_servers import wait_until

TOPIC = next(iter(kafka.TOPICS))
SECONDS = 4.0


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run a broker; give the addresses of its doors by what is wrong with them."""
    var, ports = tmp_path_factory.mktemp("broker"), Ports.free()
    spare = Ports.free()
    authority = Authority(var / "tls")
    authority.prepare()
    kafka.prepare(var, ports, authority, Secrets())
    properties = var / "kafka" / "server.properties"
    wrong = {
        "UNKNOWN": (spare.kafka, f"nowhere.invalid:{spare.kafka}"),
        "CLOSED": (spare.redis, f"{HOST}:{spare.postgres}"),
    }
    text = properties.read_text()
    for name, (port, advertised) in wrong.items():
        text = text.replace("\nlisteners=", f"\nlisteners={name}://{HOST}:{port},")
        text = text.replace(
            "\nadvertised.listeners=", f"\nadvertised.listeners={name}://{advertised},"
        )
        text = text.replace("protocol.map=", f"protocol.map={name}:PLAINTEXT,")
    properties.write_text(text)
    plain = f"{HOST}:{ports.kafka}"
    with (var / "log").open("w") as log:
        broker = subprocess.Popen(kafka.command(var), stdout=log, stderr=log)
    try:
        wait_until(lambda: kafka.answers(plain), 60)
        kafka.make_topics(kafka.TOPICS, bootstrap_servers=plain)
        yield {name: f"{HOST}:{port}" for name, (port, _) in wrong.items()}
    finally:
        broker.kill()
        broker.wait()


@pytest.mark.parametrize("client", ["pipeline", "publisher"])
@pytest.mark.parametrize(
    ("door", "sentence"),
    [
        ("UNKNOWN", "broker 1 advertises nowhere.invalid:{}, a name that is not known"),
        ("CLOSED", "broker 1 advertises 127.0.0.1:{}, where nobody listens"),
    ],
)
def test_advertised_address_is_named_within_the_timeout(
    doors: dict[str, str], door: str, sentence: str, client: str
) -> None:
    settings = load_settings(
        dwh_dsn="postgresql:///none",
        kafka_bootstrap=doors[door],
        palate_kafka_timeout=SECONDS,
    )
    start = time.monotonic()
    with pytest.raises(PalateError) as error:
        _use(settings, client)
    assert time.monotonic() - start < 3 * SECONDS
    assert sentence.partition("{}")[0] in str(error.value)
    assert sentence.partition("{}")[2] in str(error.value)
    assert "advertised.listeners" in str(error.value)
    assert isinstance(error.value, ServiceUnavailableError)


def _use(settings: Settings, client: str) -> None:
    if client == "publisher":
        with open_sender(settings, TOPIC, {}):
            pass
    else:
        with open_reader(settings) as reader:
            reader.state(TOPIC)
