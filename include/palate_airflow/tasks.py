"""What binds Airflow to the library: Connections, who is running, what is reported.

A task's body is one import and one call: ``run_stage(vault.run)``.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.sdk import (
    BaseHook,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    get_current_context,
)
from airflow.sdk.exceptions import AirflowNotFoundException

from palate.settings import Settings, load_settings
from palate_airflow import metrics

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

    from palate.engine import Caller
    from palate.errors import PalateError

log = logging.getLogger(__name__)

# The Airflow Connections that say where the services are.
CONNECTIONS = ("dwh", "kafka", "redis")


class StageFailedError(SystemExit):
    """Raised when a stage can't go on: the task ends with the sentence in its log.

    Airflow writes a traceback for any other exception; nobody needs one here. The exit
    code is that of the command ``palate``.
    """

    def __init__(self, error: PalateError) -> None:
        """Take over the exit code and the sentence."""
        super().__init__(error.exit_code)
        self.sentence = str(error)

    def __str__(self) -> str:
        """Return the sentence, for whoever is told of the failure."""
        return self.sentence


class StageStuckError(StageFailedError):
    """Raised when somebody has to mend something first: no later attempt can."""


# What every DAG has in common. The pauses between attempts are 5, 10 and 20 s.
DAG_DEFAULTS: dict[str, Any] = {
    "catchup": False,
    "dagrun_timeout": timedelta(hours=2),
    "default_args": {
        "owner": "palate",
        "retries": 3,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=1),
        "retry_policy": ExceptionRetryPolicy(
            rules=[
                RetryRule(
                    exception=StageStuckError,
                    action=RetryAction.FAIL,
                    reason="Somebody has to mend it first; the error above says what.",
                )
            ]
        ),
        "execution_timeout": timedelta(minutes=30),
        "show_return_value_in_logs": False,  # the stage has logged it as a sentence
    },
}


def limits_form(topics: list[str]) -> dict[str, Param]:
    """Return the form of a manual run: what it takes at most."""
    return {
        "topics": Param(
            topics,
            type="array",
            items={"type": "string", "enum": topics},
            examples=topics,
            minItems=1,
            title="Topics",
            description="Read only these topics.",
        ),
        "partitions": Param(
            None,
            type=["null", "string"],
            pattern=r"^\s*\d{1,6}(\s*,\s*\d{1,6})*\s*$",
            title="Partitions",
            description="Read only these partitions, such as 0, 2. Empty: all.",
        ),
        "messages": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=100_000_000,
            title="Most messages",
            description="Stop after about as many. The next run takes the rest.",
        ),
        "minutes": Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            maximum=25,
            title="Longest time",
            description="Stop reading after so many minutes. The next run goes on.",
        ),
    }


def filled_form(context: Context) -> dict[str, Any]:
    """Return the form of the current run, an empty field as None.

    :raises RequestError: if the run was given a field that the form doesn't have
    """
    from palate.decisions import check_fields

    known = context["dag"].params
    check_fields(context["dag_run"].conf or {}, known)
    params = context["params"]
    return {name: None if params[name] == "" else params[name] for name in known}


@contextmanager
def failing_with_a_sentence() -> Iterator[None]:
    """End the task with the sentence of what went wrong, and no traceback.

    :raises StageFailedError: in place of any other error of Palate
    """
    from palate.errors import PalateError
    from palate.text import escape_controls

    try:
        yield
    except PalateError as error:
        log.error("%s", escape_controls(str(error)))
        raise as_failure(error) from None


def drain() -> dict[str, Any]:
    """Run the drain for the current task, as the form of its run asks."""
    with failing_with_a_sentence():
        from palate.requests import limits

        asked = limits(filled_form(get_current_context()), task_settings())
    return run_stage("landing.drain", limits=asked)


def run_stage(module: str, function: str = "run", **arguments: Any) -> dict[str, Any]:
    """Run a stage for the current task; return what it did, for XCom.

    The same stands in the event of the task's asset. Another run that holds the stage
    is no error: it takes what is waiting, and this task says so. But nobody else does
    what a backfill is to heal, so its task is tried again.

    :param module: the part of the library that has the stage, such as ``vault``
    :param function: what runs it
    :raises StageFailedError: if it can't go on
    """
    from palate.errors import StageBusyError

    context = get_current_context()
    me = caller(context)
    with failing_with_a_sentence():
        filled_form(context)
    logging.getLogger("kafka").setLevel(logging.WARNING)
    with metrics.timed(context["ti"]) as outcome, failing_with_a_sentence():
        try:
            stage = getattr(importlib.import_module(f"palate.{module}"), function)
            found = stage(task_settings(), caller=me, **arguments)
            outcome |= found.as_dict()
        except StageBusyError as error:
            if me.interval:
                log.error("%s What this backfill is to heal waits for it.", error)
                raise as_failure(error) from None
            log.warning("%s", error)
            outcome |= {"outcome": "busy", "note": str(error)}
    for asset in context["task"].outlets:
        context["outlet_events"][asset].extra = outcome
    return outcome


def caller(context: Context) -> Caller:
    """Return who the current task is, for the ledger.

    Only a backfill has an interval to cover; any other run takes what is waiting.
    """
    from palate.engine import Caller

    task, run = context["ti"], context["dag_run"]
    start, end = run.data_interval_start, run.data_interval_end
    return Caller(
        dag_id=task.dag_id,
        run_id=task.run_id,
        task_id=task.task_id,
        map_index=-1 if task.map_index is None else task.map_index,
        try_number=task.try_number,
        interval=(start, end) if run.run_type == "backfill" and start and end else None,
        on_batch=lambda _, batch: metrics.tell_batch(task, batch),
    )


def task_settings() -> Settings:
    """Return the settings for a task, from the Airflow Connections."""
    found = {}
    for name in CONNECTIONS:
        try:
            found[name] = BaseHook.get_connection(name)
        except AirflowNotFoundException:
            log.debug("There is no Connection %s.", name)
    return settings(found)


async def trigger_settings() -> Settings:
    """Return the same for a trigger, whose event loop must not wait."""
    found = {}
    for name in CONNECTIONS:
        try:
            found[name] = await BaseHook.aget_connection(name)
        except AirflowNotFoundException:
            log.debug("There is no Connection %s.", name)
    return settings(found)


def settings(connections: Mapping[str, Connection]) -> Settings:
    """Return the settings that Connections give; the environment has the others.

    A stage that needs a Connection that isn't there says so itself.

    :raises SettingsError: if one can't be used
    """
    values: dict[str, Any] = {}
    if "dwh" in connections:
        values["dwh_dsn"] = _dsn(connections["dwh"])
    if "kafka" in connections:
        values |= _kafka(connections["kafka"])
    if "redis" in connections:
        values["redis_url"] = _redis_url(connections["redis"])
    return load_settings(**values)


def _dsn(connection: Connection) -> str:
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    from palate.errors import SettingsError

    try:
        return make_conninfo(
            host=connection.host,
            port=connection.port,
            user=connection.login,
            password=connection.password,
            dbname=connection.schema,
            **connection.extra_dejson,
        )
    except ProgrammingError:
        # The driver's words may hold a piece of a password.
        message = (
            "The Airflow Connection `dwh` can't be used: its extra takes libpq's "
            "parameters only, such as sslmode."
        )
        raise SettingsError(message) from None


def _kafka(connection: Connection) -> dict[str, str]:
    # The names that the provider apache-kafka hands on to librdkafka.
    extra = connection.extra_dejson
    names = {
        "security.protocol": "kafka_security_protocol",
        "sasl.mechanism": "kafka_sasl_mechanism",
        "sasl.username": "kafka_sasl_username",
        "sasl.password": "kafka_sasl_password",
        "ssl.ca.location": "kafka_ssl_ca_location",
    }
    values = {setting: extra[name] for name, setting in names.items() if name in extra}
    servers = extra.get("bootstrap.servers")
    values["kafka_bootstrap"] = (
        servers or f"{connection.host}:{connection.port or 9092}"
    )
    return values


def _redis_url(connection: Connection) -> str:
    extra = connection.extra_dejson
    scheme = "rediss" if extra.get("ssl") else "redis"
    login = ""
    if connection.password:
        name = quote(connection.login or "", safe="")
        login = f"{name}:{quote(connection.password, safe='')}@"
    host = f"{connection.host}:{connection.port or 6379}"
    url = f"{scheme}://{login}{host}/{extra.get('db', 0)}"
    authority = {name: extra[name] for name in ("ssl_ca_certs",) if name in extra}
    return f"{url}?{urlencode(authority)}" if authority else url


def as_failure(error: PalateError) -> StageFailedError:
    """Return what ends a task with an error's sentence, and whether to try again."""
    return (StageFailedError if error.is_worth_retrying else StageStuckError)(error)
