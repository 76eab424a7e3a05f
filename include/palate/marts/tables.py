"""The tables of the marts, made from their definitions."""

from palate.database import Connection
from palate.marts import kept_totals, kinds
from palate.marts.definitions import load_marts
from palate.marts.meaning import of_mart
from palate.marts.models import Mart
from palate.table_set import TableSet
from palate.tables import registry


def make_tables(conn: Connection) -> list[str]:
    """Create the missing tables of each mart; return the names of marts and totals.

    :raises DefinitionError: if a mart was made from another meaning
    """
    made = []
    for mart in load_marts().values():
        if registry.register(conn, of_mart(mart.name)):
            for statement in table_statements(mart):
                conn.execute(statement)
            kept_totals.enter(conn, mart)
            made.append(mart.name)
        made += kept_totals.bring_along(conn, mart)
        for statement in (comment(mart), *kept_totals.comments(mart)):
            conn.execute(statement)
    return made


def comment(mart: Mart, tables: TableSet = TableSet.LIVE) -> str:
    """Return the statement that comments on a mart's rows."""
    description = mart.description.strip().replace("'", "''")
    return f"COMMENT ON TABLE {tables.cdm}.{mart.name} IS '{description}'"


def table_statements(mart: Mart, tables: TableSet = TableSet.LIVE) -> list[str]:
    """Return the statements that create a mart's tables."""
    return kinds.of(mart.name).table_statements(tables)
