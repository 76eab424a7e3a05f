"""The intake as a process: uvicorn, guarded against slow headers."""

import json
import logging
import threading
from asyncio import TimerHandle
from datetime import UTC, datetime
from typing import Any

import uvicorn
from prometheus_client import start_http_server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from palate.files import IntakeSettings, objects
from palate.intake import looks
from palate.intake.app import create_app
from palate.intake.metrics import REGISTRY

log = logging.getLogger(__name__)

_LOGGED = ("request_id", "import_id", "dataset", "outcome", "seconds")
_BACKLOG = 128


def prepare(settings: IntakeSettings) -> list[str]:
    """Make bucket and topics, if they are missing; return what was made.

    :raises PalateError: if the store or Kafka does not answer, or refuses
    """
    made = []
    if objects.open_store(settings).prepare():
        made.append(f"bucket {settings.palate_intake_bucket}")
    made += [f"topic {name}" for name in looks.prepare_topics(settings)]
    return made


def serve(settings: IntakeSettings) -> None:
    """Serve until a signal; requests under way are ended first.

    :raises PalateError: if a setting or a dataset is not as it should be
    """
    _set_up_log()
    app = create_app(settings)
    if settings.palate_intake_metrics_port is not None:
        start_http_server(
            settings.palate_intake_metrics_port, "127.0.0.1", registry=REGISTRY
        )
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.palate_intake_address,
            port=settings.palate_intake_port,
            http=_protocol(settings.palate_intake_header_seconds),
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=settings.palate_intake_stop_seconds,
        )
    )
    server.readiness = app.state.readiness
    threading.Thread(target=_prepare, args=(settings,), daemon=True).start()
    server.run()


def _prepare(settings: IntakeSettings) -> None:
    """Prepare in the background: without Kafka or a store the probes answer, too."""
    waiting = threading.Event()
    while True:
        try:
            made = prepare(settings)
        except Exception as error:
            log.warning("not prepared yet: %s", error)
            waiting.wait(looks.PREPARE_SECONDS)
        else:
            if made:
                log.info("made %s", ", ".join(made))
            return


class _Server(uvicorn.Server):
    readiness: Any = None

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Say at once that no more is taken."""
        self.readiness.is_stopping = True
        super().handle_exit(sig, frame)


def _protocol(seconds: float) -> type[HttpToolsProtocol]:
    """Return uvicorn's protocol, which lets headers drip in for ever, with a limit."""

    class Guarded(HttpToolsProtocol):
        _timer: TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._arm()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._timer is None and (
                self.cycle is None or self.cycle.response_complete
            ):
                self._arm()  # the next request of this connection begins
            super().data_received(data)

        def on_headers_complete(self) -> None:
            self._disarm()
            super().on_headers_complete()

        def _arm(self) -> None:
            self._timer = self.loop.call_later(seconds, self._end)

        def _disarm(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _end(self) -> None:
            self._timer = None
            self.transport.close()

    return Guarded


class _JsonLines(logging.Formatter):
    """A line of JSON per entry."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {n: getattr(record, n) for n in _LOGGED if hasattr(record, n)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _set_up_log() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
