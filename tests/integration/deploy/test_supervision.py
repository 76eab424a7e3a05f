"""A real supervisord, and a part that takes its time to end."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local.errors import StackError
from deploy.local.settings_files import render
from deploy.local.supervision import Program, Supervisor


def test_stack_that_is_being_stopped_says_so(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    deaf = Program(
        name="deaf",
        group="services",
        command=["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"],
        stop_seconds=3,
    )
    supervisor = Supervisor(tmp_path)
    supervisor.configuration.write_text(
        render(
            "supervisord.conf",
            var=tmp_path,
            socket=supervisor.socket,
            root=os.geteuid() == 0,
            python=sys.executable,
            repository=Path(__file__).parents[3],
            programs=[deaf],
            groups={"services": ["deaf"]},
        )
    )
    supervisor.start(dict(os.environ))
    try:
        supervisor.start_group("services")
        while supervisor.states()["deaf"].state != "RUNNING":
            time.sleep(0.1)  # it has set its trap by then
        supervisor._call("shutdown")

        with pytest.raises(StackError, match="is being stopped"):
            supervisor.states()
    finally:
        with suppress(StackError):
            supervisor.shut_down()
        while supervisor.socket.exists():
            time.sleep(0.1)
