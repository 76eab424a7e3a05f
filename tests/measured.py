"""How much of the library is run by tests, where `make coverage` asks for it.

Tracing costs Python a third of its time or more, and before 3.12 there is no cheaper
way. So it is on only in tests of the library: not where Airflow or a fault takes time.
`python -m tests.measured` prints their folders.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from coverage import Coverage

_ROOT = Path(__file__).parents[1]
_TESTS = _ROOT / "tests"
_MEASURED = frozenset(
    _TESTS / name for name in ("unit", "sql", "integration", "cockpit", "dags")
)
_OF_THE_TESTS = _TESTS / "unit" / "model"  # tests what other tests compare with
# A Python whose environment has it is measured from its start on.
_START = "COVERAGE_PROCESS_START"


def only_tests(config: pytest.Config) -> None:
    """Measure the process that runs the tests, and no child that isn't asked to be."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        if coverage := Coverage.current():
            coverage.stop()  # the tests run in the processes that xdist starts
    else:
        os.environ.pop(_START, None)


@contextmanager
def paused_elsewhere(item: pytest.Item) -> Iterator[None]:
    """Measure nothing in a test of another folder."""
    coverage = Coverage.current()
    if coverage is None or _is_measured(item.path):
        yield
        return
    coverage.stop()
    try:
        yield
    finally:
        coverage.start()


def environment_of_child() -> dict[str, str]:
    """Return the variables by which a child is measured too, if its parent is."""
    return {_START: str(_ROOT / "pyproject.toml")} if Coverage.current() else {}


def _is_measured(test: Path) -> bool:
    folders = frozenset(test.parents)
    return bool(folders & _MEASURED) and _OF_THE_TESTS not in folders


if __name__ == "__main__":
    print(*sorted(str(folder.relative_to(_ROOT)) for folder in _MEASURED))
