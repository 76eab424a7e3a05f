"""The checks, from the files below ``sql/checks``.

A file is one check. Its folder says what it is rendered for: each hub, link, satellite
or mart, or once. Its first line has the rule, its second one the severity; its query
returns the rows that break the rule.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from palate.errors import DefinitionError
from palate.names import SQL_FOLDER

_HEAD = re.compile(
    r"-- (?P<rule>[A-Z].*\.)\n"
    r"{#- #(?P<severity>fail|warn)(?P<by_piece>, by piece of STG)? #}\n"
)


class Severity(StrEnum):
    """What a broken rule is: an alarm and a failed task, or a line in the log."""

    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True)
class Check:
    """One file; ``rule`` is its first line, with placeholders where it has templates.

    ``path`` is the file below ``sql/``: of all areas, or of one.

    A check ``by_piece`` runs once for each piece of STG, so that it never locks all of
    it: it reads the positions of one log from ``%(from_offset)s`` to below
    ``%(to_offset)s``.
    """

    group: str
    name: str
    rule: str
    severity: Severity
    path: str
    is_by_piece: bool = False

    @property
    def area(self) -> str | None:
        """Return the area whose check it is; None if it is one of all."""
        top, name, *_ = Path(self.path).parts
        return name if top == "areas" else None

    @property
    def full_name(self) -> str:
        """Return the name that selects it."""
        return f"{self.group}/{self.name}"


@lru_cache(maxsize=2)
def load_checks(folder: Path = SQL_FOLDER) -> list[Check]:
    """Read the head of every check, by group and name.

    :raises DefinitionError: names the file and what it lacks
    """
    paths = [*folder.glob("checks/*/*.sql"), *folder.glob("areas/*/checks/*/*.sql")]
    return [
        _read(path, folder)
        for path in sorted(paths, key=lambda path: path.parts[-2:])
        if not path.parent.name.startswith("_")
    ]


def _read(path: Path, folder: Path) -> Check:
    head = _HEAD.match(path.read_text(encoding="utf-8"))
    if head is None:
        message = (
            f"{path}: a check begins with a sentence that says what must hold, `-- "
            "Every ... .`, and a second line `{#- #fail #}` or `{#- #warn #}`, or "
            "`{#- #fail, by piece of STG #}`."
        )
        raise DefinitionError(message)
    rule = re.sub(r"{{ *([\w.]+) *}}", r"<\1>", head["rule"])
    return Check(
        path.parent.name,
        path.stem,
        rule,
        Severity(head["severity"]),
        str(path.relative_to(folder)),
        is_by_piece=head["by_piece"] is not None,
    )
