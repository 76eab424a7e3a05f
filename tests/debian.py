"""Programs of Debian's packages: unpacked, since installing would start them."""

import os
import subprocess
import tempfile
from pathlib import Path


def unpacked(name: str, *more: str) -> Path:
    """Return the folder of a package's files; it is downloaded once.

    :param more: packages with the libraries that it needs
    :raises subprocess.CalledProcessError: if one can't be downloaded
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    target = cache / "palate" / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as draft:
            run = {"cwd": draft, "check": True, "capture_output": True}
            subprocess.run(["apt-get", "download", name, *more], **run)
            for package in Path(draft).glob("*.deb"):
                subprocess.run(["dpkg", "-x", package.name, "unpacked"], **run)
            (Path(draft) / "unpacked").rename(target)
    return target
