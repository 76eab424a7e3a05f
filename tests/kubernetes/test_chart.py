"""The values go through the real chart; ``make test-kubernetes CHART=...`` says where.

The chart is in no package registry, so other runs have what it made of the values in
``rendered.yaml``, and tests of that in ``test_deployment.py``.
"""

import os
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.kubernetes import chart

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("PALATE_CHART"),
        reason="needs Airflow's chart: make test-kubernetes CHART=<airflow-1.22.0.tgz>",
    ),
    pytest.mark.timeout(1_200),  # Helm is built at first
]
# Kinds that a cluster has only by an operator: their schemas are the operator's.
BY_OPERATORS = {"ScaledObject"}


@pytest.fixture(scope="module")
def airflow() -> Path:
    path = Path(os.environ["PALATE_CHART"]).absolute()
    command = [str(chart.helm()), "show", "chart", str(path)]
    shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    assert yaml.safe_load(shown.stdout)["version"] == chart.VERSION
    return path


@pytest.mark.parametrize("way", chart.WAYS)
def test_what_is_rendered_fits_kubernetes_schemas(airflow: Path, way: str) -> None:
    kinds = set()
    for one in chart.render(airflow, chart.files(way)):
        if one["kind"] not in BY_OPERATORS:
            kubernetes_validate.validate(one, "1.33", strict=True)
        kinds.add(one["kind"])
    assert {"Deployment", "CronJob", "Job", "ServiceAccount"} <= kinds


def test_what_is_kept_in_short_is_what_is_rendered(airflow: Path) -> None:
    kept = yaml.safe_load(chart.RENDERED.read_text())
    assert chart.summary(airflow) == kept


def test_misspelt_value_is_refused(airflow: Path, tmp_path: Path) -> None:
    misspelt = tmp_path / "misspelt.yaml"
    misspelt.write_text("scheduler: {replicaz: 2}")
    with pytest.raises(subprocess.CalledProcessError):
        chart.render(airflow, [*chart.files("celery"), misspelt])
