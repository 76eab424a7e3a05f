"""Whatever the order, the batches and the repeats: the tables follow from the history.

The independent model in ``tests/model`` says what must be in them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from palate.checks.run import reconcile
from palate.marts import compare
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.settings import Settings
from palate.tags import stage as tags
from palate.vault import stage as vault
from tests.food import FOOD
from tests.integration.emptied import Emptied
from tests.integration.staged import (
    caller,
    set_rules,
    stage_entries,
    stage_messages,
)
from tests.model.compare import actual, assert_equal, expected
from tests.model.history import Rule
from tests.model.strategies import batches, histories, rules

MARTS = tuple(load_marts("food"))
STAGES = ("vault", *MARTS, "tags")
STEPS = st.sampled_from(
    [*STAGES, *[f"{name} again" for name in STAGES]]
    + [*STAGES]
    + [f"rebuild {name}" for name in (*MARTS, "tags")]
)


@pytest.fixture(scope="module", autouse=True)
def lanes_for_small_batches() -> Iterator[None]:
    """Let a few messages be loaded side by side, as only a backlog is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vault, "_LEAST_PER_LOADER", 1)
        yield


@dataclass
class Runs:
    """Runs stages, and can run each call again as the same task."""

    settings: Settings
    made: dict[str, list[str]] = field(default_factory=dict)

    def step(self, name: str, choice: int) -> None:
        stage = name.removesuffix(" again")
        ran = self.made.setdefault(stage, [])
        if name != stage:
            if ran:
                self._run(stage, ran[choice % len(ran)])
            return
        ran.append(f"run {len(ran)}")
        self._run(stage, ran[-1])

    def finish(self) -> None:
        for name in STAGES:
            self.step(name, 0)

    def _run(self, stage: str, run_id: str) -> None:
        if stage == "vault":
            vault.run(self.settings, FOOD, caller(stage, run_id))
        elif stage == "tags":
            tags.run(self.settings, caller(stage, run_id))
        elif stage == "rebuild tags":
            tags.rebuild(self.settings, caller(stage, run_id))
        elif stage.startswith("rebuild "):
            name = stage.removeprefix("rebuild ")
            marts.rebuild(self.settings, name, caller(stage, run_id))
        else:
            marts.run(self.settings, stage, caller(stage, run_id))


@given(data=st.data())
def test_tables_follow_from_the_history(emptied: Emptied, data: st.DataObject) -> None:
    emptied.empty()
    history = data.draw(histories(30, 14, epochs=2), label="history")
    settings = emptied.settings.model_copy(
        update={
            "palate_chunk_positions": data.draw(st.sampled_from([1, 2, 5, 50_000])),
            "palate_vault_lanes": data.draw(st.integers(1, 3)),
        }
    )
    runs = Runs(settings)
    ruled: tuple[Rule, ...] = ()
    for batch in data.draw(batches(history), label="batches"):
        stage_messages(emptied.conn, batch.messages)
        stage_entries(settings, batch.entries)
        if data.draw(st.booleans(), label="other rules"):
            ruled = tuple(data.draw(st.lists(rules(), max_size=4), label="rules"))
            set_rules(emptied.conn, ruled)
        for step in data.draw(st.lists(STEPS, max_size=4), label="steps"):
            runs.step(step, data.draw(st.integers(0, 9)))
    runs.finish()

    found = actual(emptied.conn)
    note(f"{len(history.messages)} messages, {len(history.entries)} entries")
    assert_equal(expected(replace(history, rules=ruled)), found)
    assert {name: compare.differences(settings, name) for name in MARTS} == {
        name: (0, []) for name in MARTS
    }
    totals = [result for result in reconcile(settings) if "totals" in result.check]
    assert [(one.found, one.examples) for one in totals] == [(0, [])] * len(MARTS)
    assert tags.differences(settings) == (0, [])
