"""What `make coverage` shows of the library's branches."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_branches_that_tests_run_are_reported(tmp_path: Path) -> None:
    env = {**os.environ, "COVERAGE_FILE": str(tmp_path / "data")}
    _python(
        *("-m", "pytest", "-n", "1", "tests/unit/positions/test_range_sets.py"),
        env={**env, "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml")},
    )
    shown = _python("-m", "tests.coverage_report", env=env).splitlines()
    assert shown[-1].startswith("Branch coverage of the library: ")
    wings = {line.split()[0]: line for line in shown if line.strip()}
    assert int(wings["positions"].split()[2]) > 0
    assert int(wings["checks"].split()[2]) == 0


def _python(*arguments: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
