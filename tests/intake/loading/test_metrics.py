"""What is measured of files: their states, their records, and who waits."""

from pathlib import Path

import pytest

from palate.database import Connection
from palate.intake.import_metrics import ImportCounts
from tests.intake.loading.sent import change_schema, company, load, replay, sent
from tests.intake.process import Intake, Partner

IMPORTS, RECORDS = "palate_files_imports", "palate_files_records"
WAITING, OLDEST = "palate_files_waiting", "palate_files_oldest_waiting_seconds"


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
    monkeypatch.setattr("palate.intake.import_metrics._EVERY_SECONDS", 0.0)
    load(intake)
    counts = ImportCounts()
    counts.count(dwh)
    known = {name: values(counts, name) for name in (IMPORTS, RECORDS)}

    def new(name: str) -> dict[str, float]:
        counts.count(dwh)
        before, now = known[name], values(counts, name)
        now = {key: n - before.get(key, 0) for key, n in now.items()}
        return {key: n for key, n in now.items() if n}

    name = partner.company
    sent(partner, company(name), company(f"{name}-b"))
    far = company(f"{name}-c", offices=[{"latitude": 100}])
    bad = sent(partner, company(name), far)
    assert partner.send(b"{").status_code == 422
    assert new(IMPORTS) == {"received": 2, "malformed": 1}
    assert values(counts, WAITING) == {"": 2}
    assert 0 < values(counts, OLDEST)[""] < 60
    assert new(RECORDS) == {}

    load(intake)
    assert new(RECORDS) == {"loaded": 2, "invalid": 1}
    assert values(counts, WAITING) == {"": 0}
    assert values(counts, OLDEST) == {"": 0}

    change_schema(definitions, "offices")
    replay(intake, bad)
    # What was counted once stays counted.
    assert new(RECORDS) == {"loaded": 4, "invalid": 1}
    assert new(IMPORTS) == {"loaded": 2, "malformed": 1}

    # A count reads the whole table: it is made now and then.
    monkeypatch.setattr("palate.intake.import_metrics._EVERY_SECONDS", 60.0)
    sent(partner, company(f"{name}-d"))
    assert new(IMPORTS) == {"loaded": 2, "malformed": 1}
