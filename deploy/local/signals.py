"""The receivers of a stack's metrics and lineage, if there are any."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy.local.errors import StackError


@dataclass(frozen=True)
class Signals:
    """Who receives Airflow's metrics (StatsD) and lineage (OpenLineage); empty: nobody.

    ``statsd`` is ``host:port``; ``openlineage`` a URL, or a file that events are
    appended to.
    """

    statsd: str = ""
    openlineage: str = ""

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Return the receivers in PALATE_STATSD and PALATE_OPENLINEAGE."""
        return cls(
            environment.get("PALATE_STATSD", ""),
            environment.get("PALATE_OPENLINEAGE", ""),
        )

    @property
    def statsd_address(self) -> tuple[str, int] | None:
        """Host and port of the receiver of metrics, or None.

        :raises StackError: if they can't be parsed
        """
        if not self.statsd:
            return None
        host, _, port = self.statsd.rpartition(":")
        if not host or not port.isdecimal():
            raise StackError(f"PALATE_STATSD is {self.statsd!r}: give host:port.")
        return host, int(port)

    @property
    def openlineage_transport(self) -> str:
        """The setting of the provider, as JSON; empty without a receiver."""
        if not self.openlineage:
            return ""
        if self.openlineage.startswith(("http://", "https://")):
            return json.dumps({"type": "http", "url": self.openlineage})
        path = str(Path(self.openlineage).resolve())
        return json.dumps({"type": "file", "log_file_path": path, "append": True})
