"""Jars from Maven Central: pinned by a pom, known by their checksums."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import StackError


@dataclass(frozen=True)
class Jars:
    """The jars of one program.

    :param name: of the program
    :param here: the folder with its ``pom.xml`` and ``jars.sha256``
    """

    name: str
    here: Path

    @property
    def checksums(self) -> Path:
        """The list of the jars with their checksums."""
        return self.here / "jars.sha256"

    @property
    def folder(self) -> Path:
        """The folder of the jars, named after the list of their checksums.

        It is in the user's cache, so that a second stack downloads nothing.
        """
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        listed = hashlib.sha256(self.checksums.read_bytes()).hexdigest()[:12]
        return cache / "palate" / f"{self.name.lower()}-{listed}"

    def fetch(self, report: Callable[[str], None]) -> None:
        """Download the jars by Maven unless they are in the cache.

        :param report: gets a line if there is something to download
        :raises StackError: if Maven is missing or fails, or a jar is not the known one
        """
        target = self.folder
        if target.exists():
            return
        maven = program("mvn")
        report(f"Downloading {self.name} to {target} ...")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as draft:
            done = subprocess.run(
                [
                    maven,
                    "--quiet",
                    "--batch-mode",
                    "--strict-checksums",
                    f"--file={self.here / 'pom.xml'}",
                    "dependency:copy-dependencies",
                    f"-DoutputDirectory={draft}/jars",
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode:
                raise StackError(
                    f"Maven couldn't fetch {self.name}'s jars: {done.stdout[-2000:]}"
                )
            self.check(Path(draft) / "jars")
            # Another process may have been faster: then its folder is as good.
            if not target.exists():
                (Path(draft) / "jars").rename(target)

    def check(self, folder: Path) -> None:
        """Compare the downloaded jars with the checksums in the repository.

        :raises StackError: names the jars that differ, or are only in one of the two
        """
        lines = self.checksums.read_text().splitlines()
        known = {name: checksum for checksum, name in map(str.split, lines)}
        found = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.iterdir()
        }
        differing = sorted({name for name, _ in known.items() ^ found.items()})
        if differing:
            raise StackError(
                f"{self.name}'s jars are not those of {self.checksums}: "
                f"{', '.join(differing)}. None of them was kept. If pom.xml was "
                "changed on purpose, write the list anew (`sha256sum *.jar`) after a "
                "look at what is new."
            )


def program(name: str) -> str:
    """Return the path of `java` or `mvn`.

    :raises StackError: if it isn't installed
    """
    found = shutil.which(name)
    if not found:
        package = {"java": "openjdk-17-jre-headless", "mvn": "maven"}[name]
        raise StackError(f"`{name}` is missing. Install it: apt-get install {package}")
    return found
