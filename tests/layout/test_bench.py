"""Benchmarks are run by hand, so that nobody notices a name that has gone."""

import importlib
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
MODULES = sorted(
    ".".join(path.relative_to(BENCH.parent).with_suffix("").parts)
    for path in BENCH.rglob("*.py")
    if path.name != "__main__.py"
)


@pytest.mark.parametrize("name", MODULES)
def test_benchmark_names_what_there_is(name: str) -> None:
    assert importlib.import_module(name)
