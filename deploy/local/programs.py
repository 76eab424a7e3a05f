"""What supervisord runs for a stack."""

import os
import sys
from collections.abc import Collection
from pathlib import Path

from deploy.local import (
    airflow_server,
    airline,
    connect,
    flights,
    intake,
    kafka,
    redis_server,
)
from deploy.local.cluster import Cluster, server_user
from deploy.local.secrets import write_private
from deploy.local.settings_files import render
from deploy.local.supervision import Program, Supervisor

SERVICES = "services"
AIRFLOW = "airflow"
# Which group each part belongs to, in the order in which parts are shown.
PARTS = {
    **dict.fromkeys(("postgres", "redis", "kafka"), SERVICES),
    # One by one, so each is a group.
    **{name: name for name in flights.PARTS},
    intake.NAME: intake.NAME,
    **dict.fromkeys((*airflow_server.PARTS, airflow_server.WATCH), AIRFLOW),
}


# Where they listen, by the names of ``Ports``; the first is the one to go to.
PORTS = {
    "postgres": ["postgres"],
    "redis": ["redis", "redis_secured"],
    "kafka": ["kafka", "kafka_secured", "kafka_controller"],
    "airline": ["airline"],
    "airline-standby": ["airline_standby"],
    "connect": ["connect"],
    "intake": ["intake", "intake_metrics"],
    "api-server": ["airflow"],
    "watch": ["metrics"],
}


def configure_supervisor(
    supervisor: Supervisor, var: Path, areas: Collection[str]
) -> None:
    """Write the configuration under which supervisord runs this stack.

    :param areas: those that are on: some have parts of their own
    :raises StackError: if a program isn't installed
    """
    programs = [
        *_services(var),
        *(_flights(var) if "flights" in areas else []),
        *(_files(var) if "files" in areas else []),
        *_airflow(var),
    ]
    groups: dict[str, list[str]] = {}
    for one in programs:
        groups.setdefault(one.group, []).append(one.name)
    text = render(
        "supervisord.conf",
        var=var,
        socket=supervisor.socket,
        root=os.geteuid() == 0,
        python=sys.executable,
        repository=airflow_server.REPOSITORY,
        programs=programs,
        groups=groups,
    )
    write_private(supervisor.configuration, text)


def _services(var: Path) -> list[Program]:
    return [
        _server(Cluster(var), SERVICES),
        Program(
            name="redis",
            group=SERVICES,
            command=redis_server.command(var),
        ),
        Program(
            name="kafka",
            group=SERVICES,
            command=kafka.command(var),
            stop_seconds=60,
        ),
    ]


def _flights(var: Path) -> list[Program]:
    return [
        _server(Cluster(var, airline.PRIMARY), airline.PRIMARY),
        _server(Cluster(var, airline.STANDBY), airline.STANDBY),
        Program(
            name=connect.NAME,
            group=connect.NAME,
            command=connect.command(var),
        ),
    ]


def _files(var: Path) -> list[Program]:
    return [
        Program(
            name=intake.NAME,
            group=intake.NAME,
            command=[str(intake.COMMAND), "serve"],
            stop_seconds=intake.STOP_SECONDS,
            environment={"PALATE_VAR": str(var)},
        )
    ]


def _server(cluster: Cluster, group: str) -> Program:
    return Program(
        name=cluster.name,
        group=group,
        command=cluster.command,
        user=server_user(),
        stop_signal="INT",  # "fast": sessions are terminated, data are flushed
        stop_seconds=60,
    )


def _airflow(var: Path) -> list[Program]:
    commands = {
        name: [str(airflow_server.COMMAND), *arguments]
        for name, arguments in airflow_server.PARTS.items()
    }
    commands[airflow_server.WATCH] = [str(airflow_server.WATCH_COMMAND)]
    return [
        Program(
            name=name,
            group=AIRFLOW,
            command=command,
            # Otherwise the triggerer often waits ten seconds for a child that has
            # ended.
            stop_as_group=name == "triggerer",
            directory=airflow_server.work_folder(var),
            environment={"PALATE_VAR": str(var)},
        )
        for name, command in commands.items()
    ]
