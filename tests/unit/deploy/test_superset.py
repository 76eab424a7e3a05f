"""The bundle for Superset is whole, and no secret is in it or has a default."""

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid5
from zipfile import ZipFile

import pytest
import yaml

from deploy.superset.archive import BUNDLE, DATABASE, address
from palate.simulate.truth import NAMESPACE

REPOSITORY = Path(__file__).parents[3]
CONFIG = BUNDLE.parent / "superset_config.py"
FILES = sorted(path.relative_to(BUNDLE) for path in BUNDLE.rglob("*.yaml"))
DSN = "postgresql://bi:s3cret@db.example.com:5432/dwh"
Json = dict[str, Any]


def _read(path: Path) -> Json:
    return yaml.safe_load((BUNDLE / path).read_text(encoding="utf-8"))


def _all(folder: str) -> list[Json]:
    return [_read(path) for path in FILES if path.parts[0] == folder]


@pytest.mark.parametrize(
    "path", [path for path in FILES if len(path.parts) > 1], ids=str
)
def test_uuid_follows_from_the_name_of_the_file(path: Path) -> None:
    name = f"superset/{path.parts[0]}/{path.stem}"
    assert _read(path)["uuid"] == str(uuid5(NAMESPACE, name))


def test_each_dataset_is_of_the_database() -> None:
    (database,) = _all("databases")
    assert {one["database_uuid"] for one in _all("datasets")} == {database["uuid"]}


def test_each_chart_shows_what_its_dataset_has() -> None:
    datasets = {one["uuid"]: one for one in _all("datasets")}
    charts = _all("charts")
    assert len(charts) == 6
    for chart in charts:
        params, dataset = chart["params"], datasets[chart["dataset_uuid"]]
        metrics = {one["metric_name"] for one in dataset["metrics"]}
        columns = {one["column_name"] for one in dataset["columns"]}
        asked = {*params["metrics"], *params.get("metrics_b", [])}
        assert asked <= metrics, chart["slice_name"]
        assert params["x_axis"] in columns, chart["slice_name"]
        assert params["viz_type"] == chart["viz_type"]


def test_dashboard_has_every_chart_under_its_name() -> None:
    (dashboard,) = _all("dashboards")
    shown = [
        item["meta"]
        for item in dashboard["position"].values()
        if isinstance(item, dict) and item["type"] == "CHART"
    ]
    assert {one["uuid"]: one["sliceName"] for one in shown} == {
        one["uuid"]: one["slice_name"] for one in _all("charts")
    }


def test_period_is_for_the_charts_by_day_only() -> None:
    (dashboard,) = _all("dashboards")
    by_time = {
        one["uuid"] for one in _all("charts") if "time_grain_sqla" in one["params"]
    }
    (period,) = dashboard["metadata"]["native_filter_configuration"]
    excluded = period["scope"]["excluded"]
    assert {
        item["meta"]["uuid"]
        for item in dashboard["position"].values()
        if isinstance(item, dict)
        and item["type"] == "CHART"
        and item["meta"]["chartId"] not in excluded
    } == by_time


def test_everything_has_a_description() -> None:
    for one in [*_all("datasets"), *_all("charts"), *_all("dashboards")]:
        assert one["description"]


def test_archive_has_the_address_and_is_for_its_owner_only(tmp_path: Path) -> None:
    archive, secret = tmp_path / "palate.zip", tmp_path / "dsn"
    secret.write_text(f"{DSN}\n")
    done = _archive(archive, PALATE_BI_DSN_FILE=str(secret))
    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert archive.stat().st_mode & 0o777 == 0o600
    with ZipFile(archive) as found:
        assert {name.partition("/")[0] for name in found.namelist()} == {"palate"}
        assert len(found.namelist()) == len(FILES)
        database = yaml.safe_load(found.read(f"palate/{DATABASE}"))
    assert database["sqlalchemy_uri"] == DSN.replace("://", "+psycopg2://", 1)


@pytest.mark.parametrize("dsn", ["", "mysql://bi:s3cret@host/dwh", "host=db user=bi"])
def test_address_that_is_none_is_refused_without_showing_it(
    tmp_path: Path, dsn: str
) -> None:
    done = _archive(tmp_path / "palate.zip", PALATE_BI_DSN=dsn)
    assert done.returncode == 2
    assert done.stderr.startswith("Set PALATE_BI_DSN")
    assert "s3cret" not in done.stderr
    assert not (tmp_path / "palate.zip").exists()


def test_no_password_is_in_the_bundle() -> None:
    for path in BUNDLE.rglob("*"):
        assert path.is_dir() or not re.search(
            r"^\s*sqlalchemy_uri:|password", path.read_text(encoding="utf-8"), re.M
        ), path


@pytest.mark.parametrize("name", ["SUPERSET_SECRET_KEY", "SUPERSET_DATABASE_URI"])
def test_config_has_no_default_for_a_secret(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for one in ("SUPERSET_SECRET_KEY", "SUPERSET_DATABASE_URI"):
        monkeypatch.setenv(one, "something")
    monkeypatch.delenv(name)
    with pytest.raises(RuntimeError, match=f"Set {name}"):
        runpy.run_path(str(CONFIG))


def test_config_reads_a_secret_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("a long key\n")
    monkeypatch.setenv("SUPERSET_SECRET_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SUPERSET_DATABASE_URI", "sqlite://")
    config = runpy.run_path(str(CONFIG))
    assert config["SECRET_KEY"] == "a long key"
    assert config["SESSION_COOKIE_SECURE"] is True


def test_address_of_either_scheme_is_taken() -> None:
    for scheme in ("postgres://", "postgresql://"):
        found = address({"PALATE_BI_DSN": f"{scheme}bi:x@host/dwh"})
        assert found == "postgresql+psycopg2://bi:x@host/dwh"


def _archive(path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.superset.archive", path],
        cwd=REPOSITORY,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
