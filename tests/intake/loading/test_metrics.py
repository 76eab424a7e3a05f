"""What is measured of files: their states, their records, and who waits."""

from pathlib import Path

import pytest

from palate.database import Connection
from palate.intake.import_metrics import ImportCounts
from tests.intake.loading.sent import change_schema, company, load, replay, sent
from tests.intake.process import Intake, Partner


def values(counts: ImportCounts, name: str) -> dict[str, float]:
    """Return a metric's samples by all their labels but the dataset."""
    (metric,) = [one for one in counts.collect() if one.name == name]
    for sample in metric.samples:
        assert sample.labels["dataset"] == "companies"
        # No company, no id, no file's name.
        assert {*sample.labels} <= {"dataset", "state", "outcome"}
    return {
        sample.labels.get("state", sample.labels.get("outcome", "")): sample.value
        for sample in metric.samples
    }


def test_counts_are_those_of_the_warehouse(
    intake: Intake,
    partner: Partner,
    dwh: Connection,
    definitions: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = partner.company
    sent(partner, company(name), company(f"{name}-b"))
    far = company(f"{name}-c", offices=[{"latitude": 100}])
    bad = sent(partner, company(name), far)
    assert partner.send(b"{").status_code == 422
    counts = ImportCounts()
    counts.count(dwh)
    assert values(counts, "palate_files_imports") == {"received": 2, "malformed": 1}
    assert values(counts, "palate_files_waiting") == {"": 2}
    assert 0 < values(counts, "palate_files_oldest_waiting_seconds")[""] < 60
    assert values(counts, "palate_files_records") == {"loaded": 0, "invalid": 0}

    load(intake)
    # A count reads the whole table: it is made now and then.
    counts.count(dwh)
    assert values(counts, "palate_files_waiting") == {"": 2}
    monkeypatch.setattr("palate.intake.import_metrics._EVERY_SECONDS", 0.0)
    counts.count(dwh)
    assert values(counts, "palate_files_waiting") == {"": 0}
    assert values(counts, "palate_files_oldest_waiting_seconds") == {"": 0}
    assert values(counts, "palate_files_records") == {"loaded": 2, "invalid": 1}

    change_schema(definitions, "offices")
    replay(intake, bad)
    counts.count(dwh)
    # What was counted once stays counted.
    assert values(counts, "palate_files_records") == {"loaded": 4, "invalid": 1}
    assert values(counts, "palate_files_imports") == {"loaded": 2, "malformed": 1}
