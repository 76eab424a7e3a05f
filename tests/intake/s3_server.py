"""A real S3 server: versitygw, built once from its sources."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.ports import Ports

_MODULE = "github.com/versity/versitygw/cmd/versitygw"
_VERSION = "v1.8.0"
USER, SECRET = "palate", "palate-secret-of-a-test"


class S3Server:
    """One server over a folder; it can be away for a while."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = Ports.free().redis
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        with (self.folder.parent / "s3.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(_binary()),
                    "--port",
                    f"127.0.0.1:{self.port}",
                    "posix",
                    "--sidecar",
                    str(_sidecar(self.folder)),
                    str(self.folder),
                ],
                env=os.environ | {"ROOT_ACCESS_KEY": USER, "ROOT_SECRET_KEY": SECRET},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < deadline, "the S3 server does not start"
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run a server."""
    found = S3Server(folder)
    try:
        found.start()
        yield found
    finally:
        found.stop()


def _sidecar(folder: Path) -> Path:
    """Return where attributes are kept: not every file system has them."""
    found = folder.with_name(f"attributes-{folder.name}")
    found.mkdir(exist_ok=True)
    return found


def _binary() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "palate" / f"versitygw-{_VERSION}"
    found = folder / "versitygw"
    if not found.exists():
        go = shutil.which("go")
        assert go, "Go builds the S3 server of these tests: install golang."
        subprocess.run(
            [go, "install", f"{_MODULE}@{_VERSION}"],
            env=os.environ | {"GOBIN": str(folder)},
            check=True,
        )
    return found
