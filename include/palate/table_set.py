"""Where a stage writes: into the living tables, or into those of a rebuild beside them.

All statements name the living tables. About the others they say the same, by other
names of schemas (ADR 0016).
"""

import re
from enum import Enum

_SCHEMA = re.compile(r"\b(dds|cdm)\.(?=\w)")
_REFUSED = "INSERT INTO stg.rejected_messages"


class TableSet(Enum):
    """Which tables of vault and marts a statement is about."""

    LIVE = ""
    SHADOW = "_rebuild"

    def of(self, statement: str) -> str:
        """Return the statement about the tables of this set.

        A rebuild reads what was refused, and keeps apart what it refuses itself.
        """
        if self is TableSet.LIVE:
            return statement
        apart = statement.replace(_REFUSED, "INSERT INTO ops.rebuild_rejected")
        return _SCHEMA.sub(rf"\1{self.value}.", apart)
