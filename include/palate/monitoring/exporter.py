"""The door for Prometheus: ``GET /metrics`` on a port of the watch's own.

Whoever may come from another machine needs a token. The values are those of the last
probe: a scrape asks neither broker nor warehouse.
"""

import hmac
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from socket import AF_INET6
from socketserver import TCPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, MetricsHandler

from palate.errors import SettingsError
from palate.monitoring.metrics import ProbeCollector
from palate.monitoring.probe import Probe
from palate.settings import Settings

log = logging.getLogger(__name__)

PATH = "/metrics"


@contextmanager
def serving(
    settings: Settings, last_probe: Callable[[], Probe | None]
) -> Iterator[None]:
    """Serve the metrics of the last probe by threads, until the body ends.

    Nothing is served where no port is set.

    :raises SettingsError: if the port can't be used, or a token is missing
    """
    address, port = settings.palate_metrics_address, settings.palate_metrics_port
    if port is None:
        yield
        return
    token = settings.palate_metrics_token.get_secret_value()
    if not (token or address.is_loopback):
        message = (
            f"Settings can't be used: PALATE_METRICS_ADDRESS is {address}, which other "
            "machines may reach, and PALATE_METRICS_TOKEN is not set. Set a token, or "
            "leave the address out: then it is 127.0.0.1."
        )
        raise SettingsError(message)
    registry = CollectorRegistry()
    registry.register(ProbeCollector(last_probe))
    handler = type("Handler", (_Handler,), {"registry": registry, "token": token})
    server_class = _ServerV6 if address.version == 6 else _Server
    try:
        server = server_class((str(address), port), handler)
    except OSError as error:
        message = (
            f"Settings can't be used: PALATE_METRICS_PORT: the watch can't listen on "
            f"port {port} of {address}: {error.strerror}."
        )
        raise SettingsError(message) from None
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        log.info("The watch serves metrics on port %s of %s.", port, address)
        try:
            yield
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind, without asking the network for this machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "palate", self.server_address[1]

    def handle_error(self, *_: Any) -> None:
        """Leave a client that went away alone."""
        log.debug("A request for metrics was not answered.", exc_info=True)


class _ServerV6(_Server):
    address_family = AF_INET6


class _Handler(MetricsHandler):
    timeout = 5  # for a client that sends nothing
    server_version = "palate"
    sys_version = ""
    token = ""

    def do_GET(self) -> None:
        """Answer with the metrics, whoever may read them."""
        given = self.headers.get("Authorization", "").encode("utf-8", "replace")
        if self.token and not hmac.compare_digest(
            given, f"Bearer {self.token}".encode()
        ):
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Bearer")
            self.end_headers()
        elif urlsplit(self.path).path != PATH:
            self.send_error(404)
        else:
            super().do_GET()
