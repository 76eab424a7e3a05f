"""The watch as a process of its own: ``python -m palate_watch``.

It must notice when the scheduler, the triggerer or a worker hangs, and so runs in none
of them (ADR 0018). It sends alarms by any Airflow notifier: ``PALATE_NOTIFIER`` names
the class, ``PALATE_NOTIFIER_ARGUMENTS`` has its arguments. Their templates may use the
fields of ``palate.monitoring.alarms.Alarm.as_dict``. ``--try`` sends one alarm and
ends.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
from datetime import UTC, datetime
from importlib import import_module
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from palate.monitoring import alarms
    from palate.settings import Settings

log = logging.getLogger("palate.monitoring.watch")

# The broker answers in milliseconds or not at all.
_KAFKA_SECONDS = 5


def main() -> int:
    """Watch until the process is stopped; return the exit code."""
    parser = argparse.ArgumentParser(prog="palate_watch", description=__doc__)
    parser.add_argument(
        "--try", action="store_true", dest="is_trial", help="send one alarm and end"
    )
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the watch reports itself
    # As Airflow's own commands do: Connections may be in its metadata database.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"

    from palate.errors import PalateError

    try:
        return _try() if arguments.is_trial else _watch()
    except PalateError as error:
        log.error("%s", error)
        return error.exit_code


def _watch() -> int:
    from palate.monitoring import watch

    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = _settings()
    how = settings.palate_notifier or "its log only: PALATE_NOTIFIER is not set"
    log.info("The watch begins. It sends alarms by %s.", how)
    watch.Watch(settings, sender(settings)).run(stop)
    return 0


def _try() -> int:
    from palate.incidents import Incident, Kind
    from palate.monitoring import alarms

    now = datetime.now(UTC)
    incident = Incident(Kind.WATCH, "trial", "This is a trial; nothing is wrong.", now)
    sender(_settings())(alarms.Alarm(incident, is_over=False))
    return 0


def _settings() -> Settings:
    from palate_airflow.connections import task_settings

    return task_settings().model_copy(update={"palate_kafka_timeout": _KAFKA_SECONDS})


def sender(settings: Settings) -> alarms.Send:
    """Return what sends one alarm: to the log, and by the notifier, if there is one."""
    from palate.errors import AlarmNotSentError
    from palate.text import escape_controls

    path, arguments = settings.palate_notifier, settings.palate_notifier_arguments

    def send(alarm: alarms.Alarm) -> str:
        log.log(
            logging.INFO if alarm.is_over else logging.ERROR,
            "%s. %s",
            escape_controls(alarm.title),
            escape_controls(alarm.text),
        )
        if not path:
            return "the log of the watch only"
        module, _, name = path.rpartition(".")
        try:
            # A new one for each alarm: it renders its templates in place.
            notifier = getattr(import_module(module), name)(**arguments)
            context = alarm.as_dict()
            notifier.render_template_fields(context)
            notifier.notify(context)
        # Any error of a notifier: it is tried again.
        except Exception as error:
            message = (
                f"{path} could not send '{alarm.title}' and is tried again: "
                f"{type(error).__name__}: {error}. See PALATE_NOTIFIER, "
                "PALATE_NOTIFIER_ARGUMENTS and the notifier's Connection."
            )
            raise AlarmNotSentError(message) from error
        return f"{name}{_receivers(notifier)}"

    return send


def _receivers(notifier: object) -> str:
    """Return whom a notifier says that it writes to; its other fields may be secret."""
    for field in ("to", "channel"):
        match getattr(notifier, field, None):
            case str(one) if one:
                return f" ({one})"
            case [*several] if several and all(isinstance(x, str) for x in several):
                return f" ({', '.join(several)})"
    return ""
