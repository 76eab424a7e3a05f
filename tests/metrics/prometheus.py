"""A real Prometheus, of Debian, that scrapes one watch."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from deploy.local.ports import HOST
from tests.debian import unpacked

REPOSITORY = Path(__file__).parents[2]
RULES = REPOSITORY / "deploy" / "prometheus" / "rules.yaml"


def programs() -> Path:
    """Return the folder with ``prometheus`` and ``promtool``: installed, or cached."""
    if found := shutil.which("prometheus"):
        return Path(found).parent
    return unpacked("prometheus") / "usr" / "bin"


def promtool(*arguments: str, given: str | None = None) -> None:
    """Run ``promtool``; it has to be content.

    :param given: what it reads
    """
    done = subprocess.run(
        [str(programs() / "promtool"), *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """Its API."""

    def __init__(self, port: int) -> None:
        """Keep where it listens."""
        self._url = f"http://{HOST}:{port}"

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer.

        :raises urllib.error.HTTPError: if a query is none
        """
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(
            f"{self._url}/api/v1/{path}?{query}", timeout=10
        ) as answer:
            found = json.load(answer)
        assert found["status"] == "success"
        assert not found.get("warnings")
        return found["data"]

    def query(self, expression: str) -> dict[frozenset[tuple[str, str]], float]:
        """Return the value of each series now, by its labels."""
        return {
            frozenset(one["metric"].items()): float(one["value"][1])
            for one in self.get("query", query=expression)["result"]
        }

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {
            one["labels"]["alertname"]
            for one in self.get("alerts")["alerts"]
            if one["state"] == "firing"
        }

    def answers(self) -> bool:
        """Return whether it is there."""
        try:
            return bool(self.get("status/buildinfo"))
        except OSError:
            return False


@contextmanager
def scraping(
    folder: Path,
    target: str,
    port: int,
    token: str = "",
    job: str = "palate",
    rules: Path = RULES,
) -> Iterator[Prometheus]:
    """Run it with rules of the repository; it scrapes and judges every second."""
    login = {"authorization": {"credentials": token}} if token else {}
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": job,
                **login,
                "static_configs": [{"targets": [target]}],
            }
        ],
    }
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(configuration))
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                str(programs() / "prometheus"),
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={HOST}:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(30)
