"""The totals that each mart keeps: ``ops.totals``, and how they are summed anew.

They follow from the mart, so what they are may change at any time: a changed table is
made anew, and filled from the mart's rows and the orders it has counted.
"""

from functools import lru_cache
from typing import Any

from psycopg.types.json import Jsonb

from palate.database import Connection
from palate.marts.counted_mart import CountedMart
from palate.marts.counted_tables import comment_on, of_totals
from palate.marts.definitions import counted_mart
from palate.marts.mart_sql import MartSql
from palate.marts.models import Mart
from palate.marts.totals import Totals
from palate.sql import Step, execute_step, render
from palate.tables import removal


def enter(conn: Connection, mart: Mart) -> None:
    """Record that a mart's totals are there as its folder has them, and right."""
    conn.execute("DELETE FROM ops.totals WHERE mart = %s", (mart.name,))
    for one in _declared(mart):
        conn.execute(
            "INSERT INTO ops.totals (table_name, mart, definition, filled_dt)"
            " VALUES (%s, %s, %s, now())",
            (one.table, mart.name, Jsonb(_fields(one))),
        )


def bring_along(conn: Connection, mart: Mart, *, is_filled: bool = True) -> list[str]:
    """Make the totals that a mart has got since; drop those that went.

    Runs of the mart wait meanwhile. Return the names of what was made.

    :param is_filled: whether they are filled at once; else at the end of the next run
    :raises StageBusyError: if a run holds the mart for too long
    :raises DefinitionInUseError: if something in the database needs what went
    """
    known: dict[str, Any] = dict(
        conn.execute(
            "SELECT table_name, definition FROM ops.totals WHERE mart = %s",
            (mart.name,),
        ).fetchall()
    )
    wanted = {one.table: one for one in _declared(mart)}
    new = [one for name, one in wanted.items() if known.get(name) != _fields(one)]
    gone = [name for name in known if name not in wanted or wanted[name] in new]
    if new or gone:
        (made,) = (one for one in removal.all_made(conn) if one.name == mart.name)
        removal.hold(conn, made)
        removal.drop_totals(conn, made, gone)
        _make(conn, mart, new)
        enter(conn, mart)
        if new:
            doubt(conn, mart.name)
            if is_filled:
                settle(conn, mart.name)
    return [one.table for one in new]


def comments(mart: Mart) -> list[str]:
    """Return the statements that comment on the totals of a mart."""
    return [comment_on(one) for one in _declared(mart)]


def doubt(conn: Connection, name: str) -> None:
    """Have a mart's totals summed anew at the end of the run.

    After a correction nobody knows whether they have followed what made it wrong.
    """
    conn.execute("UPDATE ops.totals SET filled_dt = NULL WHERE mart = %s", (name,))


def doubtful(conn: Connection, names: list[str]) -> list[str]:
    """Return those of some marts whose totals have to be summed anew."""
    rows = conn.execute(
        "SELECT DISTINCT mart FROM ops.totals WHERE mart = ANY(%s)"
        " AND filled_dt IS NULL ORDER BY mart",
        (names,),
    ).fetchall()
    return [name for (name,) in rows]


def are_doubtful(conn: Connection, name: str) -> bool:
    """Return whether a mart's totals have to be summed anew."""
    return bool(doubtful(conn, [name]))


def settle(conn: Connection, name: str) -> None:
    """Sum all totals of a mart anew, in the open transaction."""
    for one in fill_statements(counted_mart(name)):
        execute_step(conn, one)
    conn.execute("UPDATE ops.totals SET filled_dt = now() WHERE mart = %s", (name,))


def fill_statements(mart: CountedMart) -> list[Step]:
    """Return the statements that sum all totals of a mart anew, in order."""
    if not mart.totals:
        return []
    sql = MartSql(mart)
    cdm = sql.tables.cdm
    steps = []
    if mart.keeps_contributions:
        steps.append(sql.step("fill_sums", query=sql.counted_sums()))
    # Readers wait from here on.
    tables = ", ".join(f"{cdm}.{one.table}" for one in mart.totals)
    steps.append(Step("emptied totals", f"TRUNCATE {tables}"))
    for one in mart.totals:
        columns = ", ".join([*one.keys, *one.columns])
        steps.append(
            Step(
                one.table,
                f"INSERT INTO {cdm}.{one.table} ({columns})"
                f" SELECT {columns} FROM ({sql.totals_now(one)}) AS t"
                f" ORDER BY {', '.join(one.keys)}",
            )
        )
    if mart.keeps_contributions:
        # A migration may fill the totals of several marts in one transaction.
        steps.append(Step("dropped sums", "DROP TABLE counted_sums"))
    return steps


@lru_cache(maxsize=64)
def comparison(name: str) -> str:
    """Return the query for the totals of a mart that differ from the mart itself."""
    mart = counted_mart(name)
    sql = MartSql(mart)
    return render(
        "checks/totals/equal_the_mart.sql",
        mart=name,
        counted_sums=sql.counted_sums() if mart.keeps_contributions else "",
        totals=[(one, sql.totals_now(one)) for one in mart.totals],
    )


def _declared(mart: Mart) -> tuple[Totals, ...]:
    return mart.totals if isinstance(mart, CountedMart) else ()


def _fields(totals: Totals) -> dict[str, Any]:
    return {"of": totals.of, "keys": list(totals.keys)}


def _make(conn: Connection, mart: Mart, new: list[Totals]) -> None:
    if not isinstance(mart, CountedMart):
        return
    counted = f"cdm.{mart.name}_counted"
    there = {
        name
        for (name,) in conn.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass"
            " AND attnum > 0 AND NOT attisdropped",
            (counted,),
        )
    }
    further = there & mart.contributions.further.keys()
    for name in sorted(further - {*mart.kept_columns}):
        # Orders that are counted from now on would lack it.
        conn.execute(f"ALTER TABLE {counted} DROP COLUMN {name}")
    lacking = [name for name in mart.kept_columns if name not in there]
    for name in lacking:
        conn.execute(f"ALTER TABLE {counted} ADD COLUMN {name} {mart.counted[name]}")
    if lacking:
        execute_step(conn, MartSql(mart).step("keep_columns", "kept", lacking=lacking))
    for one in new:
        for statement in of_totals(mart, one):
            conn.execute(statement)
