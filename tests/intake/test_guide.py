"""docs/sending-files.md: what it shows works, and it names what the door says."""

import os
import re
import subprocess
import sys

import pytest

from palate.names import DOCS_FOLDER
from tests.intake.process import Intake, Partner

GUIDE = (DOCS_FOLDER / "sending-files.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("language", "command"),
    [("bash", ["bash", "-c"]), ("python", [sys.executable, "-c"])],
)
def test_example_sends_two_companies(
    intake: Intake, partner: Partner, language: str, command: list[str]
) -> None:
    (code,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
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
