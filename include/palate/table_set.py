"""The tables of a statement: the live ones, or a rebuild's.

A rebuild fills tables of the same names in other schemas, by the same files (ADR 0016).
So the files have placeholders for the schemas: ``{{ dds }}``.
"""

from enum import Enum

# The schemas that a rebuild has copies of.
SCHEMAS = ("dds", "cdm")


class TableSet(Enum):
    """A set of tables; the value is the suffix of its schemas' names."""

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
        """Return the table of refused messages.

        Earlier refusals are read from ``stg``, by a rebuild as well.
        """
        live = self is TableSet.LIVE
        return "stg.rejected_messages" if live else "ops.rebuild_rejected"

    @property
    def names(self) -> dict[str, str]:
        """Return the names of these tables for every file below ``sql/``."""
        return {"dds": self.dds, "cdm": self.cdm, "refused": self.refused}

    def table(self, name: str) -> str:
        """Return a table's name in this set; other schemas have only one set.

        :param name: its live name, as definitions and reports have it: ``dds.h_user``
        """
        schema, _, table = name.partition(".")
        return f"{schema}{self.value}.{table}" if schema in SCHEMAS else name
