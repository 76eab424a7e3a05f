"""The SQL of a mart's copy: what the warehouse gives, and what is done with it."""

from dataclasses import dataclass
from typing import Any

from palate.errors import DefinitionError
from palate.marts import Mart
from palate.sql import render


@dataclass(frozen=True)
class CopySql:
    """The statements of a copy.

    :param columns: those of the mart's table
    """

    mart: Mart
    columns: tuple[str, ...]

    @property
    def table(self) -> str:
        """Return the table of the copy, with its schema."""
        if self.mart.copied_to is None:
            message = f"sql/{self.mart.folder}/mart.yaml has no copied_to any more."
            raise DefinitionError(message)
        return self.mart.copied_to.table

    @property
    def schema(self) -> str:
        """Return the schema of the copy."""
        return self.table.partition(".")[0]

    def shared(self, file: str, **values: Any) -> str:
        """Return a statement that all copies share, for this one."""
        return render(
            f"engine/copies/{file}.sql",
            mart=self.mart.name,
            table=self.table,
            schema=self.schema,
            key_types=self.mart.key_types,
            columns=list(self.columns),
            compared=self.mart.all_columns,
            **values,
        )

    def keys_out(self) -> str:
        """Return the COPY that gives the keys of a batch."""
        return f"COPY ({self.shared('changed_keys')}) TO STDOUT"

    def rows_out(self, *, is_whole: bool) -> str:
        """Return the COPY that gives the rows of a batch's keys, or of the mart."""
        listed = ", ".join(self.columns)
        query = f"SELECT {listed} FROM cdm.{self.mart.name}"
        if not is_whole:
            keys = self.shared("changed_keys")
            query = self.shared("changed_rows", keys=keys)
        return f"COPY ({query}) TO STDOUT"

    def keys_in(self) -> str:
        """Return the COPY that takes the keys."""
        return f"COPY incoming_keys ({', '.join(self.mart.key_types)}) FROM STDIN"

    def rows_in(self) -> str:
        """Return the COPY that takes the rows."""
        return f"COPY incoming ({', '.join(self.columns)}) FROM STDIN"

    def all_out(self) -> str:
        """Return the COPY that gives all rows of the copy, as they are compared."""
        listed = ", ".join(self.mart.all_columns)
        return f"COPY (SELECT {listed} FROM {self.table}) TO STDOUT"

    def compared_in(self) -> str:
        """Return the COPY that takes those rows."""
        return f"COPY copied ({', '.join(self.mart.all_columns)}) FROM STDIN"

    def comparison(self) -> str:
        """Return the query for the rows in which mart and copy differ."""
        return render(
            "checks/copies/equal_the_mart.sql",
            mart=self.mart.name,
            keys=list(self.mart.key_types),
            columns=self.mart.all_columns,
        )
