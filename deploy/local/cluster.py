"""A PostgreSQL cluster of our own, by Debian's server."""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.secrets import write_private

# Debian's account for the server, which refuses to run as root.
_SERVER_USER = "postgres"


def programs() -> Path:
    """Return the folder of the newest installed server's programs.

    :raises StackError: if there is none
    """
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: float(path.parts[-3]),
    )
    if not found:
        raise StackError(
            "PostgreSQL's server is not installed (nothing in /usr/lib/postgresql). "
            "Install it: apt-get install postgresql"
        )
    return found[-1].parent


def server_user() -> str | None:
    """Return the account the server runs under, None for the caller's own."""
    return _SERVER_USER if os.geteuid() == 0 else None


@dataclass(frozen=True)
class Cluster:
    """One cluster of a state folder.

    :param name: of the folder in ``var``
    """

    var: Path
    name: str = "postgres"

    @property
    def folder(self) -> Path:
        """Return the path of its data.

        That is ``var/<name>/data``. For root the server's account must be able to enter
        it; where it can't (a checkout below /root, for example), the cluster is in that
        account's home, under a name that is derived from ``var``.
        """
        inside, outside = self._places()
        if outside is None or inside.exists():
            return inside
        if outside.exists() or not _server_can_enter(self.var):
            return outside
        return inside

    @property
    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        return [str(programs() / "postgres"), "-D", str(self.folder)]

    @property
    def is_made(self) -> bool:
        """Return whether there are data."""
        return (self.folder / "PG_VERSION").exists()

    def make(self, superuser_password: str) -> None:
        """Create it, empty, unless it is there.

        :raises StackError: if initdb fails
        """
        if self.is_made:
            return
        self.make_room()
        password_file = self.write("superuser-password", superuser_password)
        try:
            self.fill(
                "initdb",
                f"--pgdata={self.folder}",
                "--username=postgres",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-instructions",
            )
        finally:
            password_file.unlink()

    def make_room(self) -> None:
        """Create the folder around the data, and remove unfinished ones."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        if user := server_user():
            shutil.chown(self.folder.parent, user, user)

    def fill(self, name: str, *arguments: str) -> None:
        """Run the program of the server that writes the data.

        :raises StackError: if it fails; then nothing is left
        """
        done = subprocess.run(
            _as_server_user([str(programs() / name), *arguments]),
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
        )
        if done.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise StackError(f"{name} failed in {self.folder}: {done.stderr.strip()}")

    def refuse_other_version(self) -> None:
        """Check that the installed server can read it.

        :raises StackError: if the cluster is of another major version
        """
        made_by = (self.folder / "PG_VERSION").read_text().strip()
        installed = programs().parent.name
        if made_by != installed:
            raise StackError(
                f"The cluster in {self.folder} was made by PostgreSQL {made_by}, "
                f"installed is {installed}. `make reset` starts anew (and loses the "
                "local data)."
            )

    def write(self, name: str, text: str) -> Path:
        """Write a file beside the data, which the server's account alone reads."""
        path = self.folder.parent / name
        write_private(path, text)
        return self.hand_over(path)

    def configure(self, name: str, text: str) -> None:
        """Write a file among the data: settings."""
        path = self.folder / name
        path.write_text(text)
        self.hand_over(path)

    def hand_over(self, path: Path) -> Path:
        """Give a file to the server's account."""
        if user := server_user():
            shutil.chown(path, user, user)
        return path

    def wipe(self) -> None:
        """Remove it; the server must be down."""
        for folder in self._places():
            if folder:
                shutil.rmtree(folder.parent, ignore_errors=True)

    def _places(self) -> tuple[Path, Path | None]:
        inside = self.var / self.name / "data"
        user = server_user()
        if user is None:
            return inside, None
        name = f"palate-{hashlib.sha256(str(self.var).encode()).hexdigest()[:12]}"
        if self.name != Cluster.name:
            name += f"-{self.name}"
        return inside, Path(pwd.getpwnam(user).pw_dir) / name / "data"


def _server_can_enter(folder: Path) -> bool:
    command = _as_server_user(["test", "-x", str(folder)])
    return not subprocess.run(command, cwd="/", check=False).returncode


def _as_server_user(command: list[str]) -> list[str]:
    user = server_user()
    if user is None:
        return command
    account = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return ["setpriv", *account, "--", *command]
