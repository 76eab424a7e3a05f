"""Whatever is mistyped in a setting, its password is not shown."""

import pytest
from typer.testing import CliRunner

from deploy.local.ports import HOST, Ports
from palate.cli.app import app

SECRET = "s3cr3t"
CLOSED = Ports.free()
KAFKA = ["simulate", "live", "--count", "1"]
# The command, the setting, and what it wrongly is.
MISTAKES = [
    (["status"], "DWH_DSN", f"postgresql://u:{SECRET}@{HOST}:{CLOSED.postgres}/x"),
    (["status"], "DWH_DSN", f"postgresql://u:{SECRET}@{HOST}:port/x"),
    (["status"], "DWH_DSN", f"postgresql://u:{SECRET}/x@{HOST}:1/x"),
    (["status"], "DWH_DSN", f"postgresql//u:{SECRET}@{HOST}/x"),
    (["status"], "DWH_DSN", f"password={SECRET} host"),
    (["status"], "DWH_DSN", f"passwrd={SECRET}"),
    (["status"], "DWH_DSN", SECRET),
    (["simulate", "dictionaries"], "REDIS_URL", f"redis://:{SECRET}@{HOST}:port/0"),
    (["simulate", "dictionaries"], "REDIS_URL", f"redis://u:{SECRET}"),
    (["simulate", "dictionaries"], "REDIS_URL", f"redis://:1/{SECRET}@{HOST}/0"),
    (["simulate", "dictionaries"], "REDIS_URL", f"postgresql://u:{SECRET}@{HOST}/0"),
    (["simulate", "dictionaries"], "REDIS_URL", f"redis://{HOST}/0?pass={SECRET}"),
    (
        ["simulate", "dictionaries"],
        "REDIS_URL",
        f"redis://:{SECRET}@{HOST}:{CLOSED.redis}/0",
    ),
    (
        ["simulate", "flights", "live", "--count", "1"],
        "FLIGHTS_AIRLINE_DSN",
        f"postgresql://u:{SECRET}@{HOST}:{CLOSED.postgres}/x",
    ),
    (["simulate", "flights", "fill"], "FLIGHTS_AIRLINE_DSN", f"passwrd={SECRET}"),
    (
        ["simulate", "flights", "truth"],
        "FLIGHTS_STANDBY_DSN",
        f"postgresql://u:{SECRET}@{HOST}:{CLOSED.postgres}/x",
    ),
    (KAFKA, "KAFKA_BOOTSTRAP", f"redis://:{SECRET}@{HOST}:{CLOSED.redis}/0"),
    (KAFKA, "KAFKA_BOOTSTRAP", f"u:{SECRET}@{HOST}:{CLOSED.kafka}"),
    (KAFKA, "KAFKA_SASL_PASSWORD", SECRET),
    (KAFKA, "KAFKA_SASL_PASSWORD", f'"{SECRET}'),
    (KAFKA, "PALATE_TOPICS", f"{{{SECRET}"),
    (KAFKA, "PALATE_NOTIFIER_ARGUMENTS", f'["{SECRET}"]'),
    (KAFKA, "PALATE_NOTIFIER_ARGUMENTS", f'{{"password": "{SECRET}"'),
]
ELSE = {
    "DWH_DSN": f"postgresql://u:p@{HOST}:{CLOSED.postgres}/x",
    "REDIS_URL": f"redis://{HOST}:{CLOSED.redis}/0",
    "KAFKA_BOOTSTRAP": f"{HOST}:{CLOSED.kafka}",
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "KAFKA_SASL_USERNAME": "u",
    "KAFKA_SASL_PASSWORD": "p",
    "PALATE_KAFKA_TIMEOUT": "0.3",
}


# Named by setting: the ports in the values differ from process to process.
@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    MISTAKES,
    ids=[f"{name}-{number}" for number, (_, name, _) in enumerate(MISTAKES)],
)
def test_mistake_ends_in_a_sentence_without_the_secret(
    arguments: list[str], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one, other in (ELSE | {name: value}).items():
        monkeypatch.setenv(one, other)
    monkeypatch.setattr("palate.clients.kafka_connection._PROBE_SECONDS", 0.2)
    found = CliRunner().invoke(app, ["-v", *arguments])
    assert found.exit_code in (2, 3, 12)
    assert isinstance(found.exception, SystemExit)
    assert SECRET not in found.output
    named = (name.lower(), "can't be reached", HOST)
    assert any(one in found.output.lower() for one in named)
