"""What supervisord runs for a stack."""

from pathlib import Path

from deploy.local import airflow_server, kafka, postgres, redis_server
from deploy.local.supervision import Program

SERVICES = "services"
AIRFLOW = "airflow"
# Which group each part belongs to, in the order in which parts are shown.
PARTS = {
    **dict.fromkeys(("postgres", "redis", "kafka"), SERVICES),
    **dict.fromkeys(airflow_server.PARTS, AIRFLOW),
}


def programs(var: Path) -> list[Program]:
    """Return the programs of a stack.

    :raises StackError: if one isn't installed
    """
    return [*_services(var), *_airflow(var)]


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
            stop_signal="INT",  # "fast": sessions are ended, data are flushed
            stop_seconds=60,
        ),
        Program(
            name="redis",
            group=SERVICES,
            command=redis_server.command(var / "redis" / "redis.conf"),
        ),
        Program(
            name="kafka",
            group=SERVICES,
            command=kafka.command(var),
            stop_seconds=60,
        ),
    ]


def _airflow(var: Path) -> list[Program]:
    return [
        Program(
            name=name,
            group=AIRFLOW,
            command=[str(airflow_server.COMMAND), *arguments],
            # The triggerer alone would wait ten seconds for a child that is idle.
            stop_as_group=name == "triggerer",
            environment={"PALATE_VAR": str(var)},
        )
        for name, arguments in airflow_server.PARTS.items()
    ]
