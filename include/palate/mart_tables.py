"""The tables of the marts, made from their definitions."""

from palate.database import Connection
from palate.mart_definitions import Mart, load_marts
from palate.marts import COUNTED
from palate.meanings import of_mart
from palate.registry import register


def make_tables(conn: Connection) -> list[str]:
    """Make the tables of each mart that is not there yet; return their names.

    :raises DefinitionError: if a mart was made from another meaning
    """
    made = []
    for mart in load_marts().values():
        if register(conn, of_mart(mart.name)):
            for statement in table_statements(mart):
                conn.execute(statement)
            made.append(mart.name)
        conn.execute(comment(mart))
    return made


def tables(mart: Mart) -> tuple[str, str, str]:
    """Return the mart's tables: its rows, what it has counted, what it looks up."""
    return mart.name, f"{mart.name}_counted", mart.reference.table


def comment(mart: Mart) -> str:
    """Return the statement that says what a mart's rows are."""
    description = mart.description.strip().replace("'", "''")
    return f"COMMENT ON TABLE cdm.{mart.name} IS '{description}'"


def table_statements(mart: Mart) -> list[str]:
    """Return the statements that make a mart's tables."""
    user, thing = mart.keys
    label = mart.label.column
    counted = ", ".join(
        f"{name} {type}{'' if name == 'hk_order_item_hashdiff' else ' NOT NULL'}"
        for name, type in COUNTED.items()
    )
    reference = ", ".join(
        f"{name} {type.replace('text', 'text COLLATE ' + chr(34) + 'C' + chr(34))}"
        for name, type in mart.reference.columns.items()
    )
    return [
        f"CREATE TABLE cdm.{mart.name} ({user} uuid NOT NULL, {thing} uuid NOT NULL,"
        f' {label} text COLLATE "C", order_cnt bigint NOT NULL CHECK (order_cnt > 0),'
        " pieces_cnt bigint NOT NULL, amount numeric NOT NULL,"
        f" PRIMARY KEY ({user}, {thing}) WITH (fillfactor = 70))"
        f" WITH (fillfactor = {mart.fillfactor})",
        f"CREATE INDEX ON cdm.{mart.name} ({thing})",
        f"CREATE TABLE cdm.{mart.name}_counted ({counted}, PRIMARY KEY (order_id))",
        f"COMMENT ON TABLE cdm.{mart.name}_counted IS"
        f" 'Which version of each order {mart.name} has counted.'",
        f"CREATE TABLE cdm.{mart.reference.table} ({reference},"
        f" PRIMARY KEY ({', '.join(mart.reference.key)}))",
        f"COMMENT ON TABLE cdm.{mart.reference.table} IS"
        f" 'What {mart.name} looks up beside the orders, as it has counted with it.'",
        # The tags look for the dishes of a name.
        *(
            [f"CREATE INDEX ON {mart.label.table} ({label})"]
            if label in mart.reference.columns
            else []
        ),
    ]
