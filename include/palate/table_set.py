"""Which tables of vault and marts a statement names: the live ones, or a rebuild's.

A rebuild fills tables of the same names in schemas of its own, by the same files
(ADR 0016). So the files have the schemas as names that are filled in: ``{{ dds }}``.
"""

from enum import Enum

# The schemas of which a rebuild has its own.
SCHEMAS = ("dds", "cdm")


class TableSet(Enum):
    """A set of tables; the value is what its schemas' names end with."""

    LIVE = ""
    SHADOW = "_rebuild"

    @property
    def dds(self) -> str:
        """Return the schema of the vault."""
        return f"dds{self.value}"

    @property
    def cdm(self) -> str:
        """Return the schema of the marts."""
        return f"cdm{self.value}"

    @property
    def refused(self) -> str:
        """Return the table that messages are entered into when they are refused.

        What was refused before is read from ``stg``, by a rebuild as well.
        """
        live = self is TableSet.LIVE
        return "stg.rejected_messages" if live else "ops.rebuild_rejected"

    @property
    def names(self) -> dict[str, str]:
        """Return what every file below ``sql/`` may call these tables by."""
        return {"dds": self.dds, "cdm": self.cdm, "refused": self.refused}

    def table(self, name: str) -> str:
        """Return the name of a table in this set; of another schema there is one only.

        :param name: its live name, as definitions and reports have it: ``dds.h_user``
        """
        schema, _, table = name.partition(".")
        return f"{schema}{self.value}.{table}" if schema in SCHEMAS else name
