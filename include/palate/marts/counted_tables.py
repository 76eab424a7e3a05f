"""The tables of a mart of contributions."""

from palate.marts.counted_mart import CountedMart
from palate.marts.files import declared
from palate.marts.mart_sql import MartSql
from palate.marts.totals import Totals
from palate.table_set import TableSet
from palate.tables import removal


def table_statements(mart: CountedMart, tables: TableSet) -> list[str]:
    """Return the statements that create a mart's tables."""
    table = f"{tables.cdm}.{mart.name}"
    keys = ", ".join(mart.keys)
    columns = [
        f"{name} {declared(type)} NOT NULL" for name, type in mart.key_types.items()
    ]
    if mart.label:
        columns.append(f"{mart.label.column} {declared('text')}")
    counted = ", ".join(
        f"{name} {type}{'' if name in mart.nullable else ' NOT NULL'}"
        for name, type in mart.counted.items()
    )
    return [
        f"CREATE TABLE {table} ({', '.join(columns)},"
        " order_cnt bigint NOT NULL CHECK (order_cnt > 0),"
        " pieces_cnt bigint NOT NULL, amount numeric NOT NULL,"
        f" PRIMARY KEY ({keys}) WITH (fillfactor = 70))"
        f" WITH (fillfactor = {mart.fillfactor})",
        *(f"CREATE INDEX ON {table} ({key})" for key in list(mart.keys)[1:]),
        f"CREATE TABLE {table}_counted ({counted}, PRIMARY KEY (order_id))",
        f"COMMENT ON TABLE {table}_counted IS"
        f" 'Which version of each order {mart.name} has counted.'",
        *_reference_statements(MartSql(mart, tables)),
        *(one for totals in mart.totals for one in of_totals(mart, totals, tables)),
    ]


def of_totals(
    mart: CountedMart, totals: Totals, tables: TableSet = TableSet.LIVE
) -> list[str]:
    """Return the statements that create one table of a mart's totals."""
    table, keys = f"{tables.cdm}.{totals.table}", mart.key_columns(totals)
    types = {name: key.type for name, key in keys.order.items()}
    types |= {name: mart.key_types[name] for name in keys.things}
    types = {name: types[name] for name in totals.keys} | totals.columns
    columns = [f"{name} {declared(type)} NOT NULL" for name, type in types.items()]
    statements = [
        f"CREATE TABLE {table} ({', '.join(columns)},"
        f" PRIMARY KEY ({', '.join(totals.keys)})) WITH (fillfactor = 70)",
        comment_on(totals, tables),
    ]
    if totals.of == "guests":
        # Whether a guest has other orders, and which is the first.
        (key,) = keys.order.values()
        guest = mart.contributions.guest.column
        index = removal.guest_index(totals.table)
        counted = f"{tables.cdm}.{mart.name}_counted"
        statements.append(f"CREATE INDEX {index} ON {counted} ({guest}, ({key.of()}))")
    return statements


def comment_on(totals: Totals, tables: TableSet = TableSet.LIVE) -> str:
    """Return the statement that comments on a table of totals."""
    description = totals.description.strip().replace("'", "''")
    return f"COMMENT ON TABLE {tables.cdm}.{totals.table} IS '{description}'"


def _reference_statements(sql: MartSql) -> list[str]:
    mart = sql.mart
    if mart.reference is None:
        return []
    columns = ", ".join(
        f"{name} {declared(type)}" for name, type in mart.reference.columns.items()
    )
    return [
        f"CREATE TABLE {sql.kept_reference} ({columns},"
        f" PRIMARY KEY ({', '.join(mart.reference.key)}))",
        f"COMMENT ON TABLE {sql.kept_reference} IS"
        f" 'What {mart.name} looks up beside the orders, as it has counted with it.'",
        # The tags look up dishes by name. By hash: a B-tree takes no text of more than
        # 2,704 bytes, and a name of 1,000 characters may have 4,000.
        *(
            [f"CREATE INDEX ON {sql.label_table} USING hash ({mart.label.column})"]
            if mart.label and mart.is_label_looked_up
            else []
        ),
    ]
