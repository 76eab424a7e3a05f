"""Alarms as an operator gets them: mails of a real notifier, sent by the running watch.

Beside a real mail server, whose address stands in an Airflow Connection.
"""

import asyncio
import email
import os
import subprocess
import sys
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from deploy.local.ports import Ports
from deploy.local.stack import Stack
from palate.incidents import Kind, open_incidents
from palate.monitoring.alarms import undelivered
from tests.e2e.airflow_api import AirflowApi, until
from tests.e2e.conftest import WATCH
from tests.e2e.runs import is_quiet
from tests.e2e.shop import Guest

Dwh = psycopg.Connection[Any]

pytestmark = pytest.mark.slow


class Inbox:
    """What the mail server has got."""

    def __init__(self) -> None:
        """Begin with an empty one."""
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Take a mail."""
        mail = email.message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    def about(self, subject: str) -> list[str]:
        """Return the subjects of the mails about something, in order."""
        found = [str(mail["Subject"]) for mail in self.mails]
        return [line for line in found if line.endswith(subject)]


class _Server(Controller):
    """A mail server that ends its connections, too, when it stops."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(inbox, hostname="127.0.0.1", port=Ports.free().kafka)
        self._sessions: list[SMTP] = []

    def factory(self) -> SMTP:
        self._sessions.append(super().factory())
        return self._sessions[-1]

    def stop(self, no_assert: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(10)
        super().stop(no_assert)

    async def _end(self) -> None:
        for session in self._sessions:
            if session.transport is not None:
                session.transport.close()
        # A transport is closed in the loop's next turn.
        for _ in range(2):
            await asyncio.sleep(0)


@pytest.fixture
def inbox(airflow: AirflowApi, dwh: Dwh) -> Iterator[Inbox]:
    """Run a mail server; what other tests gave cause for is told by then."""
    found = Inbox()
    server = _Server(found)
    server.start()
    airflow.connect(
        "smtp_default",
        conn_type="smtp",
        host="127.0.0.1",
        port=server.port,
        extra='{"disable_ssl": true, "disable_tls": true}',
    )
    until(lambda: undelivered(dwh)[0] == 0, "everything told", seconds=200)
    found.mails.clear()
    yield found
    server.stop()


def _looks(dwh: Dwh) -> Any:
    return dwh.execute("SELECT looked_dt FROM ops.watch").fetchone()


def _status(stack: Stack) -> int:
    return subprocess.run(
        [str(Path(sys.executable).with_name("palate")), "status"],
        env={**os.environ, **stack.env(), **WATCH},
        capture_output=True,
        check=False,
    ).returncode


def test_scheduler_that_stands_still_is_told_once_and_its_return_too(
    stack: Stack, airflow: AirflowApi, dwh: Dwh, guest: Guest, inbox: Inbox
) -> None:
    stack.supervisor.stop("scheduler")
    try:
        guest.order([guest.pizza])
        until(lambda: inbox.mails, "the alarm")
        assert _status(stack) == 18
        for _ in range(2):
            seen = _looks(dwh)
            until(lambda seen=seen: _looks(dwh) != seen, "another look")
    finally:
        stack.up_airflow()

    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    until(lambda: len(inbox.mails) > 1, "the all-clear")
    assert inbox.about("freshness marts") == [
        "Palate alarm: freshness marts",
        "Palate all-clear: freshness marts",
    ]
    assert inbox.mails[0]["To"] == "operator@example.org"
    assert (
        dwh.execute(
            "SELECT told_to, end_told_to FROM ops.incidents WHERE kind = 'freshness'"
            " ORDER BY incident_id DESC LIMIT 1"
        ).fetchone()
        == ("SmtpNotifier (operator@example.org)",) * 2
    )
    text = inbox.mails[0].get_body().get_content()  # type: ignore[union-attr]
    assert "10 s are promised" in text
    assert "'The promise is broken'" in text
    assert _status(stack) == 0


def _end_what_the_night_found(nightly: AirflowApi, dwh: Dwh) -> None:
    """Let a fresh Airflow's own run end, and the alarms that other tests gave it."""
    until(lambda: is_quiet(nightly), "the end of the night's run", seconds=300)
    if any(one.kind is Kind.CHECK for one in open_incidents(dwh)):
        started = nightly.trigger({}).raise_for_status().json()
        assert nightly.over(started["dag_run_id"])["state"] == "success"
    until(lambda: undelivered(dwh)[0] == 0, "everything told", seconds=200)


def test_red_check_is_told_once_and_so_is_the_green_one_after_it(
    airflow: AirflowApi, dwh: Dwh, guest: Guest, inbox: Inbox
) -> None:
    guest.order([guest.pizza])
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    nightly = airflow.of("warehouse_checks")
    _end_what_the_night_found(nightly, dwh)
    inbox.mails.clear()
    dwh.execute("UPDATE cdm.user_product_counters SET amount = amount + 1")

    started = nightly.trigger({}).raise_for_status().json()
    run = nightly.over(started["dag_run_id"])

    red, about = (
        "marts.equal_the_vault",
        "marts/equal_the_vault cdm.user_product_counters",
    )
    states = {
        name: task["state"] for name, task in nightly.tasks(run["dag_run_id"]).items()
    }
    assert run["state"] == "failed"
    # The totals still are what the mart was.
    reds = [red, "totals.equal_the_mart"]
    assert [states.pop(name) for name in reds] == ["failed", "failed"]
    assert set(states.values()) == {"success"}
    log = nightly.log(run["dag_run_id"], red)
    assert "Every row of cdm.<mart> is what follows from the vault" in log
    assert "should be" in log
    until(lambda: inbox.about(about), "the alarm")

    dwh.execute("UPDATE cdm.user_product_counters SET amount = amount - 1")
    for _ in range(2):
        nightly.clear(run["dag_run_id"], reds)
        run = nightly.over(run["dag_run_id"])
        assert run["state"] == "success"

    until(lambda: len(inbox.about(about)) > 1, "the all-clear")
    assert inbox.about(about) == [
        f"Palate alarm: check {about}",
        f"Palate all-clear: check {about}",
    ]
