"""Whatever is downloaded is pinned, and known by its checksum where one can be had."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from deploy.local import connect, kafka
from deploy.local.airflow_server import REPOSITORY
from deploy.local.errors import StackError
from deploy.local.jars import Jars

REQUIREMENTS = [
    *sorted(REPOSITORY.glob("requirements*.txt")),
    *sorted(REPOSITORY.glob("deploy/*/requirements*.txt")),
]

JARS = [kafka.JARS, connect.JARS]


@pytest.mark.parametrize(
    "path", REQUIREMENTS, ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_each_archive_is_known_by_its_hash(path: Path) -> None:
    entries = re.split(r"\n(?=\S)", path.read_text().replace("\\\n", ""))
    packages = [one for one in entries if not one.startswith("#")]
    assert packages
    assert [one for one in packages if "==" not in one or "sha256:" not in one] == []


@pytest.mark.parametrize("name", ["deploy/local/bootstrap.sh", "Dockerfile"])
def test_nothing_is_installed_without_its_hash(name: str) -> None:
    text = (REPOSITORY / name).read_text().replace("\\\n", " ")
    installs = re.findall(r"^.*pip install.*$", text, re.MULTILINE)
    assert installs
    for line in installs:
        # The package itself is built from the checkout by what is installed already.
        assert (
            "--require-hashes" in line or "--no-deps --no-build-isolation -e ." in line
        )


def test_images_are_named_by_an_exact_version() -> None:
    compose = yaml.safe_load((REPOSITORY / "docker-compose.airflow.yaml").read_text())
    images = {one["image"] for one in compose["services"].values() if "image" in one}
    foreign = {image for image in images if "PALATE_IMAGE" not in image}
    assert len(foreign) == 5
    for image in foreign:
        assert re.search(r"@sha256:|:\d+\.\d+\.\d+|postgres:\d+\.\d+-", image), image


@pytest.mark.parametrize("jars", JARS, ids=lambda jars: jars.name)
def test_maven_plugin_is_pinned(jars: Jars) -> None:
    pom = ElementTree.parse(jars.here / "pom.xml").getroot()
    maven = "{http://maven.apache.org/POM/4.0.0}"
    (plugin,) = pom.iter(f"{maven}plugin")
    assert plugin.findtext(f"{maven}version")


@pytest.mark.parametrize("jars", JARS, ids=lambda jars: jars.name)
def test_changed_jar_is_refused(jars: Jars, tmp_path: Path) -> None:
    names = [line.split()[1] for line in jars.checksums.read_text().splitlines()]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(StackError, match=rf"not those of .*jars.sha256: {names[0]}"):
        jars.check(tmp_path)
