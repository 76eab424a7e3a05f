"""Who may read the metrics, and how they are asked for."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from deploy.local.ports import Ports
from palate.errors import SettingsError
from palate.monitoring.exporter import serving
from palate.monitoring.probe import Probe
from palate.settings import load_settings

TOKEN = "a token that is long enough"


@contextmanager
def served(address: str = "127.0.0.1", **values: Any) -> Iterator[str]:
    """Serve a probe, and give the URL of it."""
    port = Ports.free().metrics
    settings = load_settings(
        dwh_dsn="postgresql:///x",
        palate_metrics_port=port,
        palate_metrics_address=address,
        **values,
    )
    probe = Probe()
    with serving(settings, lambda: probe):
        yield f"http://127.0.0.1:{port}/metrics"


def get(url: str, **headers: str) -> tuple[int, str, str]:
    """Return (status, type, text) of the answer."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=10
        ) as answer:
            kind = answer.headers["Content-Type"]
            return answer.status, kind, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, "", error.read().decode()


def test_metrics_come_in_the_form_that_is_asked_for() -> None:
    with served() as url:
        status, kind, text = get(url)
        assert (status, kind.partition(";")[0]) == (200, "text/plain")
        assert 'palate_service_up{service="warehouse"} 0.0' in text
        status, kind, text = get(
            url, Accept="application/openmetrics-text; version=1.0.0"
        )
        assert kind.startswith("application/openmetrics-text; version=1.0.0")
        assert text.endswith("# EOF\n")
        assert get(url.replace("/metrics", "/else"))[0] == 404


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer \u00e9"},
    ],
)
def test_token_is_asked_for_where_there_is_one(given: dict[str, str]) -> None:
    with served("0.0.0.0", palate_metrics_token=f" {TOKEN}\n") as url:
        status, _, text = get(url, **given)
        assert (status, text) == (401, "")
        assert get(url.replace("/metrics", "/else"), **given)[0] == 401
        assert get(url, Authorization=f"Bearer {TOKEN}")[0] == 200


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_a_token_nobody_else_may_reach_it(address: str) -> None:
    with (
        pytest.raises(SettingsError, match=f"is {address}, which other machines may"),
        served(address),
    ):
        pass


def test_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = load_settings(dwh_dsn="postgresql:///x", palate_metrics_port=port)
        with (
            pytest.raises(SettingsError, match=rf"port {port} of 127\.0\.0\.1: "),
            serving(settings, Probe),
        ):
            pass


def test_client_that_says_nothing_keeps_nobody_waiting() -> None:
    with served() as url:
        port = int(url.split(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port)):
            assert get(url)[0] == 200


def test_nothing_listens_without_a_port() -> None:
    settings = load_settings(dwh_dsn="postgresql:///x", palate_metrics_port="")
    assert settings.palate_metrics_port is None
    with serving(settings, Probe):
        pass
