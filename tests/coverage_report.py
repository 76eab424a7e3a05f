"""`python -m tests.coverage_report`: which share of the library's branches was run.

With ``--missing`` it lists the others first.
"""

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from coverage import Coverage
from coverage.exceptions import NoDataError
from rich.console import Console
from rich.table import Table

_LOWEST = 10


class Run(NamedTuple):
    """How many branches there are, and how many were run."""

    branches: int
    run: int

    @property
    def share(self) -> float:
        """Return the share that was run, in percent."""
        return 100 * self.run / self.branches


def main() -> None:
    """Print the share of each wing, the modules with the lowest, and the total."""
    coverage = Coverage(config_file="pyproject.toml")
    coverage.load()
    coverage.combine()  # what each process has written
    coverage.save()
    try:
        if "--missing" in sys.argv:
            coverage.report(show_missing=True, skip_covered=True)
        modules = _modules(coverage)
    except NoDataError:
        sys.exit("Nothing was measured: `make coverage` does it.")
    wings: dict[str, list[Run]] = defaultdict(list)
    for path, found in modules.items():
        wings[_wing(path)].append(found)
    lowest = sorted(modules.items(), key=lambda item: (item[1].share, item[0]))
    total = _sum(modules.values())
    console = Console(width=100)
    _print(console, "wing", {name: _sum(found) for name, found in wings.items()})
    _print(console, "lowest modules", dict(lowest[:_LOWEST]))
    console.print(
        f"Branch coverage of the library: {total.share:.1f} %, {total.run:,} of"
        f" {total.branches:,} branches. `make coverage` lists the others.",
        highlight=False,
    )


def _modules(coverage: Coverage) -> dict[str, Run]:
    """Return what was run of each module that has branches."""
    with tempfile.NamedTemporaryFile() as file:
        coverage.json_report(outfile=file.name)
        files = json.loads(Path(file.name).read_text(encoding="utf-8"))["files"]
    found = {
        path.removeprefix("include/"): Run(
            one["summary"]["num_branches"], one["summary"]["covered_branches"]
        )
        for path, one in files.items()
    }
    return {path: one for path, one in found.items() if one.branches}


def _wing(path: str) -> str:
    package, *below = path.split("/")
    if package != "palate":
        return package
    return below[0] if len(below) > 1 else "the ground"


def _sum(found: Iterable[Run]) -> Run:
    return Run(*map(sum, zip(*found, strict=True)))


def _print(console: Console, title: str, rows: dict[str, Run]) -> None:
    table = Table(title, box=None)
    for head in ("branches", "run", "share"):
        table.add_column(head, justify="right")
    for name, found in rows.items():
        table.add_row(
            name, f"{found.branches:,}", f"{found.run:,}", f"{found.share:.1f} %"
        )
    console.print(table, "")


if __name__ == "__main__":
    main()
