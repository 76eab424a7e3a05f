"""The intake is a part of a stack where the area files is on, and nowhere else."""

from pathlib import Path

import pytest

from deploy.local import intake, programs
from deploy.local.__main__ import local_stack
from deploy.local.errors import StackError
from deploy.local.ports import Ports
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from deploy.local.supervision import State, Supervisor
from palate.files.settings import IntakeSettings


def test_stack_has_no_intake_unless_the_area_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_VAR", str(tmp_path))
    for areas in ("", "food", "food,flights"):
        monkeypatch.setenv("PALATE_AREAS", areas)
        stack = local_stack()
        assert intake.NAME not in {one.name for one in stack.states()}
        assert not [name for name in stack.env() if "INTAKE" in name]
    monkeypatch.setenv("PALATE_AREAS", "food, files")
    stack = local_stack()
    assert intake.NAME in {one.name for one in stack.states()}
    assert stack.env()["PALATE_AREAS"] == "food,files"
    assert stack.env()["PALATE_INTAKE_STORE"] == f"file://{tmp_path}/intake/store"


@pytest.mark.parametrize("areas", [(), ("food", "flights"), ("food", "files")])
def test_supervisor_runs_it_only_where_the_area_is_on(
    tmp_path: Path, areas: tuple[str, ...]
) -> None:
    supervisor = Supervisor(tmp_path)
    programs.configure_supervisor(supervisor, tmp_path, areas)
    has_it = "[program:intake]" in supervisor.configuration.read_text()
    assert has_it == ("files" in areas)


def test_stack_that_runs_without_it_has_to_be_stopped_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack(tmp_path, Ports(), areas="food,files")
    stack.ports.write(tmp_path / "ports.json")
    monkeypatch.setattr(stack.supervisor, "is_up", lambda: True)
    running = {"kafka": State("kafka", "services", "RUNNING")}
    monkeypatch.setattr(stack.supervisor, "states", lambda: running)
    with pytest.raises(StackError, match=r"without the area files.*make down"):
        stack._check_ports("services")


def test_ports_are_settings_like_the_others() -> None:
    chosen = {"PALATE_INTAKE_PORT": "7001", "PALATE_INTAKE_METRICS_PORT": "7002"}
    ports = Ports.from_env(chosen)
    assert (ports.intake, ports.intake_metrics) == (7001, 7002)
    # The service has settings of these names, too.
    assert {name.lower() for name in chosen} <= IntakeSettings.model_fields.keys()


def test_tasks_get_no_login_of_the_intake(tmp_path: Path) -> None:
    stack = Stack(tmp_path, Ports(), areas="food,files")
    secret = Secrets.load(tmp_path / "secrets.json").intake
    assert secret not in str(stack._areas_env())
    assert secret not in str(stack.env())


def test_service_that_has_no_bucket_is_told_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "fails"
    command.write_text("#!/bin/bash\necho 'no broker'; exit 1\n")
    command.chmod(0o700)
    monkeypatch.setattr(intake, "COMMAND", command)
    with pytest.raises(StackError, match="intake prepare` failed:\nno broker"):
        intake.prepare(tmp_path, Ports(), Secrets())
    settings = tmp_path / "intake" / "intake.env"
    assert settings.stat().st_mode & 0o777 == 0o600
