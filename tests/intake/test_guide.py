"""docs/sending-files.md: what it shows works, and it names what the door says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from palate.files import datasets
from palate.names import DOCS_FOLDER
from tests.intake.process import PALATE, Intake, Partner

GUIDE = (DOCS_FOLDER / "sending-files.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("language", "command"),
    [("bash", ["bash", "-c"]), ("python", [sys.executable, "-c"])],
)
def test_example_sends_two_companies(
    intake: Intake, partner: Partner, language: str, command: list[str]
) -> None:
    code = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[0]
    done = subprocess.run(
        [*command, code],
        env=os.environ | {"INTAKE_URL": intake.url, "INTAKE_TOKEN": partner.token},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (sent,) = partner.client.get("/imports").json()["imports"]
    assert sent["import_id"] in done.stdout
    assert (sent["records"], sent["state"]) == (2, "received")


def test_example_of_each_dataset_is_sent(intake: Intake, partner: Partner) -> None:
    for script in datasets.FOLDER.glob("*/examples/send.sh"):
        done = subprocess.run(
            ["sh", str(script)],
            env=os.environ | {"INTAKE_URL": intake.url, "INTAKE_TOKEN": partner.token},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert '"state":"received"' in done.stdout.replace(" ", "")


def test_command_of_the_guide_sends(
    intake: Intake, partner: Partner, tmp_path: Path
) -> None:
    (line,) = re.findall(r"^palate intake send .*$", GUIDE, re.MULTILINE)
    (tmp_path / "companies.ndjson").write_text('{"permalink": "a", "name": "A"}')
    done = subprocess.run(
        [PALATE, *line.split()[1:]],
        cwd=tmp_path,
        env=os.environ | {"INTAKE_URL": intake.url, "INTAKE_TOKEN": partner.token},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
