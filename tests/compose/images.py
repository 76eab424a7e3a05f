"""What stands in for each image: the same programs, from packages.

An image brings files, variables and an entrypoint; what its entrypoint does with the
variables of its user is written down in ``images/``.
"""

import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import cluster, connect, kafka
from tests.compose.docker_compose import REPOSITORY
from tests.debian import unpacked

_ENTRYPOINTS = Path(__file__).with_name("images")
# The accounts that the images have.
_USERS = {
    "kafka": 1001,
    "postgres": 999,
    "redis": 999,
    "appuser": 1000,
    "airflow": 50000,
    "haproxy": 99,
}
_LOG4J = """Configuration:
  Appenders:
    Console: {name: STDOUT, PatternLayout: {pattern: "%d %p %c: %m%n"}}
  Loggers: {Root: {level: WARN, AppenderRef: {ref: STDOUT}}}
"""


@dataclass(frozen=True)
class Image:
    """One image.

    :param entrypoint: where it is inside, or None if it is the command
    :param files: what is inside, and where it comes from
    :param folders: that are there, empty
    """

    entrypoint: list[str]
    working_dir: str
    home: str
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    folders: tuple[str, ...] = ()


def image_of(name: str, folder: Path) -> Image:
    """Return what stands in for an image.

    :param folder: for files that have to be written
    """
    repository, _, _ = name.partition(":")
    return {
        "palate": _palate,
        "postgres": _postgres,
        "redis": _redis,
        "apache/kafka": _kafka,
        "quay.io/debezium/connect": _connect,
        "haproxy": _haproxy,
    }[repository](folder)


def write_accounts(folder: Path) -> Path:
    """Write an ``/etc/passwd`` with root and the accounts of the images."""
    lines = [
        f"{name}:x:{number}:0::/tmp:/bin/bash"
        for name, number in {"root": 0, **_USERS}.items()
    ]
    path = folder / "passwd"
    path.write_text("\n".join(lines) + "\n")
    return path


def number_of(user: str) -> int:
    """Return the number of a user, who is given by name or number."""
    return int(user) if user.isdecimal() else _USERS[user]


def _palate(_folder: Path) -> Image:
    """Read the Dockerfile: what it doesn't copy is not there."""
    text = (REPOSITORY / "Dockerfile").read_text().replace("\\\n", " ")
    (working_dir,) = re.findall(r"^WORKDIR (\S+)$", text, re.MULTILINE)
    variables = re.findall(r"^ENV (.*)$", text, re.MULTILINE)
    copied = re.findall(r"^COPY (\S+) (\w+)$", text, re.MULTILINE)
    return Image(
        entrypoint=["/usr/bin/dumb-init", "--", "/entrypoint"],
        working_dir=working_dir,
        home="/home/airflow",
        environment={"AIRFLOW_HOME": "/opt/airflow"}
        | dict(re.findall(r"(\w+)=(\S+)", " ".join(variables))),
        files={
            "/entrypoint": _ENTRYPOINTS / "airflow-entrypoint",
            **{f"{working_dir}/{to}": REPOSITORY / source for source, to in copied},
            # Airflow and its packages.
            sys.prefix: Path(sys.prefix),
            sys.base_prefix: Path(sys.base_prefix),
        },
    )


def _postgres(_folder: Path) -> Image:
    return Image(
        entrypoint=["docker-entrypoint.sh"],
        command=["postgres"],
        working_dir="/",
        home="/var/lib/postgresql",
        environment={"PATH": f"/image:{cluster.programs()}:/usr/bin:/bin"},
        files={"/image/docker-entrypoint.sh": _ENTRYPOINTS / "postgres-entrypoint"},
        folders=("/run/postgresql", "/var/lib/postgresql"),
    )


def _redis(_folder: Path) -> Image:
    return Image(
        entrypoint=["docker-entrypoint.sh"],
        command=["redis-server"],
        working_dir="/data",
        home="/data",
        environment={"PATH": "/image:/usr/bin:/bin"},
        files={"/image/docker-entrypoint.sh": _ENTRYPOINTS / "redis-entrypoint"},
    )


def _kafka(folder: Path) -> Image:
    settings = folder / "log4j2.yaml"
    settings.write_text(_LOG4J)
    java = Path(shutil.which("java") or "java").resolve().parents[1]
    return Image(
        entrypoint=["/image/run"],
        working_dir="/",
        home="/home/appuser",
        environment={
            "PATH": f"{java}/bin:/usr/bin:/bin",
            "JARS": str(kafka.JARS.folder),
            "LOG4J": str(settings),
        },
        files={
            "/image/run": _ENTRYPOINTS / "kafka-entrypoint",
            "/opt/kafka/bin/kafka-acls.sh": _ENTRYPOINTS / "kafka-tool",
            "/opt/kafka/bin/kafka-configs.sh": _ENTRYPOINTS / "kafka-tool",
            "/opt/kafka/bin/kafka-get-offsets.sh": _ENTRYPOINTS / "kafka-tool",
            "/opt/kafka/bin/kafka-topics.sh": _ENTRYPOINTS / "kafka-tool",
            str(kafka.JARS.folder): kafka.JARS.folder,
            str(settings): settings,
            str(java): java,
        },
    )


def _haproxy(_folder: Path) -> Image:
    """Take Debian's, which is older: what it understands the image's does, too."""
    libraries = ("liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")
    files = unpacked("haproxy", *libraries)
    (found,) = files.glob("usr/lib/*-linux-gnu")
    return Image(
        entrypoint=["/image/docker-entrypoint.sh"],
        command=["haproxy"],
        working_dir="/var/lib/haproxy",
        home="/var/lib/haproxy",
        environment={
            "PATH": f"{files}/usr/sbin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": str(found),
        },
        files={
            "/image/docker-entrypoint.sh": _ENTRYPOINTS / "haproxy-entrypoint",
            str(files): files,
        },
        folders=("/var/lib/haproxy",),
    )


def _connect(_folder: Path) -> Image:
    java = Path(shutil.which("java") or "java").resolve().parents[1]
    return Image(
        entrypoint=["/docker-entrypoint.sh"],  # not used: the file has another
        command=["start"],
        working_dir="/kafka",
        home="/kafka",
        environment={
            "PATH": f"{java}/bin:/usr/bin:/bin",
            "JARS": str(connect.JARS.folder),
        },
        files={
            "/kafka/bin/connect-standalone.sh": _ENTRYPOINTS / "connect-standalone",
            str(connect.JARS.folder): connect.JARS.folder,
            str(java): java,
        },
        folders=("/kafka/connect",),
    )
