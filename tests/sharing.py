"""Which tests stay in one process, where `make test` runs two of them.

Each process has services of its own. What a module makes once, its tests share; those
of ``browser``, ``dags`` and ``e2e`` share what is made once for their folder.
"""

from pathlib import PurePath

from xdist.scheduler import LoadScopeScheduling

_FOLDERS = ("tests/browser", "tests/dags", "tests/e2e")


class BySharing(LoadScopeScheduling):
    """Hands out whole files, and whole folders where a folder shares."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        folder = str(PurePath(file).parent)
        return folder if folder in _FOLDERS else file
