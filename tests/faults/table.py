"""The table of all scenarios: in the terminal, and in docs/reliability.md."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.verdict import Verdict

_PLACE = "<!-- {name}: written by `make test-faults` -->"
_FAULTS = ("Fault", "Times", "Lost", "Doubled", "Wrong")
_BUGS = ("Planted bug", "Caught by")


@dataclass(frozen=True)
class Results:
    """Enters what a test found, so that the session's report has it.

    :param record: keeps a named row with the test's report
    """

    record: Callable[[str, tuple[str, ...]], None]

    def add(self, fault: str, times: int, verdict: Verdict) -> None:
        """Enter a scenario, and fail if anything is lost, doubled or wrong."""
        found = (times, verdict.lost, verdict.doubled, verdict.wrong)
        self.record("fault", (fault, *map(str, found)))
        if not verdict.is_clean:
            raise AssertionError("\n".join([f"{fault}: {verdict}", *verdict.notes]))

    def caught(self, bug: str, verdict: Verdict) -> None:
        """Enter a planted bug, and fail if the checker saw nothing."""
        if verdict.is_clean:
            raise AssertionError(f"The harness did not see the planted bug: {bug}")
        found = [
            f"{number} {what}"
            for what, number in (
                ("lost", verdict.lost),
                ("doubled", verdict.doubled),
                ("wrong", verdict.wrong),
            )
            if number
        ]
        self.record("bug", (bug, ", ".join(found)))


class Tables:
    """The tables of a session: its rows by their kind, ``fault`` or ``bug``."""

    def __init__(self, rows: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """Sort the rows that the tests have entered into the tables."""
        found = list(rows)
        self.faults = [row for kind, row in found if kind == "fault"]
        self.bugs = [row for kind, row in found if kind == "bug"]

    def show(self, console: Console) -> None:
        """Print both tables."""
        for head, rows in ((_FAULTS, self.faults), (_BUGS, self.bugs)):
            if rows:
                table = Table(*head)
                for row in rows:
                    table.add_row(*row)
                console.print(table)

    def write(self, path: Path) -> None:
        """Put both tables into a page; what this session did not try stays there."""
        text = path.read_text()
        for name, head, rows in (
            ("faults", _FAULTS, self.faults),
            ("bugs", _BUGS, self.bugs),
        ):
            place = re.escape(_PLACE.format(name=name))
            found = re.search(rf"({place}\n)((?:\|.*\n)*)", text)
            if found is None:
                raise ValueError(f"{path} has no place for the table {name}.")
            known = {}
            for line in found[2].splitlines()[2:]:
                row = tuple(cell.strip() for cell in line.strip("|").split("|"))
                known[row[0]] = row
            known |= {row[0]: row for row in rows}
            lines = [head, ("---",) * len(head), *known.values()]
            table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
            text = text[: found.start(2)] + table + text[found.end(2) :]
        path.write_text(text)
