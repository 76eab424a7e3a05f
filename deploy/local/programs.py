"""What supervisord runs for a stack."""

import os
import sys
from pathlib import Path

from deploy.local import airflow_server, kafka, postgres, redis_server
from deploy.local.secrets import write_private
from deploy.local.settings_files import render
from deploy.local.supervision import Program, Supervisor

SERVICES = "services"
AIRFLOW = "airflow"
# Which group each part belongs to, in the order in which parts are shown.
PARTS = {
    **dict.fromkeys(("postgres", "redis", "kafka"), SERVICES),
    **dict.fromkeys((*airflow_server.PARTS, airflow_server.WATCH), AIRFLOW),
}


def configure_supervisor(supervisor: Supervisor, var: Path) -> None:
    """Write the configuration under which supervisord runs this stack.

    :raises StackError: if a program isn't installed
    """
    programs = [*_services(var), *_airflow(var)]
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
        Program(
            name="postgres",
            group=SERVICES,
            command=[
                str(postgres.programs() / "postgres"),
                "-D",
                str(postgres.data_folder(var)),
            ],
            user=postgres.server_user(),
            stop_signal="INT",  # "fast": sessions are terminated, data are flushed
            stop_seconds=60,
        ),
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
