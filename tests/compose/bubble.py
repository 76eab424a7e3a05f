"""The command line of bubblewrap that makes one container."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.compose.images import Image, number_of

_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "etc")


def bubble(
    image: Image,
    service: dict[str, Any],
    host: str,
    volumes: list[tuple[Path, str, bool]],
    files: dict[str, Path],
    words: list[str],
) -> list[str]:
    """Return the line that runs words as process number 1 of a container.

    :param service: as docker-compose has configured it
    :param volumes: folder, where it is inside, and whether it is read-only
    :param files: more that is inside, and where it comes from
    """
    user, _, group = service["user"].partition(":")
    return [
        *("bwrap", "--unshare-user", "--unshare-pid", "--unshare-uts"),
        *("--as-pid-1", "--die-with-parent", "--hostname", host),
        *("--uid", str(number_of(user)), "--gid", group),
        *_files(image, files),
        *_volumes(volumes),
        *_environment(service, image, host),
        *("--chdir", image.working_dir, "--"),
        *(_unescaped(word) for word in words),
    ]


def _files(image: Image, more: dict[str, Path]) -> Iterator[str]:
    """Give it the system's programs, what its image has, and nothing else."""
    for entry in _SYSTEM:
        path = Path("/") / entry
        if path.is_symlink():
            yield from ("--symlink", os.readlink(path), str(path))
        elif path.exists():
            yield from ("--ro-bind", str(path), str(path))
    yield from ("--proc", "/proc", "--dev", "/dev")
    yield from ("--dir", "/tmp", "--dir", "/run", "--dir", image.home)
    yield from ("--symlink", "../run", "/var/run")
    for folder in image.folders:
        yield from ("--dir", folder)
    for target, source in {**more, **image.files}.items():
        yield from ("--ro-bind", str(source), target)


def _volumes(volumes: list[tuple[Path, str, bool]]) -> Iterator[str]:
    for source, target, is_read_only in volumes:
        yield from ("--ro-bind" if is_read_only else "--bind", str(source), target)


def _environment(service: dict[str, Any], image: Image, host: str) -> Iterator[str]:
    given = service.get("environment") or {}
    variables = {
        "PATH": f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": image.home,
        "HOSTNAME": host,
        "LANG": "C.UTF-8",
        **image.environment,
        **{name: _unescaped(value or "") for name, value in given.items()},
    }
    yield "--clearenv"
    for name, value in variables.items():
        yield from ("--setenv", name, value)


def _unescaped(text: str) -> str:
    """Return the text as a container gets it: docker-compose writes $ as $$."""
    return text.replace("$$", "$")
