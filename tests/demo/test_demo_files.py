"""`make demo-files` does what it says, also if parts of the stack are killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.local import intake
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from tests.e2e.airflow_api import until

pytestmark = pytest.mark.timeout(900)

DEMO = [sys.executable, "-m", "deploy.local.demo_files"]
AREAS = "food,files"
COUNTS = """
SELECT
    (SELECT count(*) FROM ops.imports) AS imports,
    (SELECT count(*) FROM ops.event_outbox) AS events,
    (SELECT count(*) FROM stg.file_records) AS records,
    (SELECT count(*) FROM stg.file_problems) AS problems,
    (SELECT sum(companies_cnt) FROM cdm.company_years) AS companies
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    var = Path(tempfile.mkdtemp(prefix="palate-"))
    var.chmod(0o755)
    found = Stack(var, Ports.free(), areas=AREAS)
    try:
        found.up_airflow()
        yield found
    finally:
        found.down(wipe=True)
        shutil.rmtree(var, ignore_errors=True)


def start(stack: Stack) -> "subprocess.Popen[str]":
    environment = {"PALATE_VAR": str(stack.var), "PALATE_AREAS": AREAS}
    return subprocess.Popen(
        DEMO,
        env={**os.environ, **environment, "COLUMNS": "150"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(demo: "subprocess.Popen[str]", already: str = "") -> str:
    said = already + demo.communicate(timeout=600)[0]
    assert demo.returncode == 0, said
    return said


def counts(stack: Stack) -> tuple[object, ...]:
    with psycopg.connect(stack.env()["DWH_DSN"]) as conn:
        (row,) = conn.execute(COUNTS).fetchall()
    return row


def kill(stack: Stack, part: str) -> None:
    os.kill(stack.supervisor.states()[part].pid, signal.SIGKILL)


def test_each_file_gives_its_answer_event_and_rows(stack: Stack) -> None:
    demo = start(stack)
    assert demo.stdout is not None
    said = ""
    while "3. Airflow hears" not in said:
        line = demo.stdout.readline()
        assert line, said
        said += line
    # All was sent; now those die who have to tell of it, and to load it.
    kill(stack, intake.NAME)
    kill(stack, "scheduler")

    said = end(demo, said)

    for shown in ("202", "422 not_json", "413 record_too_large", "/offices/0/latitude"):
        assert shown in said
    for shown in ("FileExtractSuccess", "FileExtractError", "ValidationError"):
        assert shown in said
    assert "files were sent by two companies" in said
    assert not [line for line in said.splitlines() if "not as they must be" in line]


def test_who_sends_all_of_it_again_adds_nothing(stack: Stack) -> None:
    before = counts(stack)
    stack.down()
    stack.up_airflow()
    until(lambda: stack.answers(intake.NAME), "the intake")

    said = end(start(stack))

    assert "repeated: it came before" in said
    assert counts(stack) == before
