"""Changed definitions: a rebuild creates their tables by the new meaning.

Only the owner of the warehouse may do that. Without such a change nothing here happens.
"""

import json

import psycopg

from palate.database import Connection
from palate.errors import RebuildRefusedError
from palate.marts import Mart, kept_totals, kinds, load_marts, tables
from palate.schema import meanings, migrate, roles
from palate.settings import Settings
from palate.sources import catalog
from palate.table_set import TableSet
from palate.tables import registry
from palate.vault import load, load_vault, parse

_NEW = TableSet.SHADOW


def check_files(conn: Connection) -> None:
    """Check that each table has a definition that a new one can be made and filled by.

    :raises RebuildRefusedError: names a table or a definition without the other
    :raises DefinitionError: if a mart names live tables where new ones are meant
    """
    known = {name for (name,) in conn.execute("SELECT name FROM ops.definitions")}
    files = {meant.name for meant in meanings.all_meanings()}
    for names, what in (
        (
            known - files,
            "have a table, and no definition any more: put the file back, "
            "or let the table go by `palate drop`",
        ),
        (
            files - known,
            "have a definition, and no table yet: run `palate migrate` "
            "first; if it refuses another file, deploy the new one after the rebuild",
        ),
    ):
        if names:
            message = f"{', '.join(sorted(names))} {what}."
            raise RebuildRefusedError(message)
    for name in load_marts():
        kinds.of(name).refresh_statements(_NEW)


def bring_totals_along(conn: Connection) -> None:
    """Let the live tables have the totals that the files say: a rebuild copies those.

    Those of a changed mart stay empty until its new tables are swapped in.
    """
    changed = {one.name for one in registry.changed(conn, meanings.all_meanings())}
    for mart in load_marts().values():
        kept_totals.bring_along(conn, mart, is_filled=mart.name not in changed)


def statements_hash(settings: Settings) -> str:
    """Return the hash of a rebuild's statements: only if it is equal, it may resume."""
    areas = [catalog.load_area(name) for name in catalog.area_names()]
    texts = [
        json.dumps([catalog.topics(settings, area) for area in areas], sort_keys=True),
        *(
            one.statement
            for area in areas
            for source in area.sources
            for one in parse.parse_steps(source)
        ),
        *(statement for area in areas for statement in _loads(area.name)),
        *(
            one.statement
            for name in load_marts()
            for one in kinds.of(name).refresh_statements()
        ),
        *(json.dumps(one.fields, sort_keys=True) for one in meanings.all_meanings()),
        *migrate.view_statements(),
    ]
    return registry.fingerprint("\n".join(texts))


def _loads(area: str) -> list[str]:
    relations = frozenset(
        name for item in load_vault(area).in_load_order for name in item.source
    )
    return [statement for _, statement in load.load_statements(area, relations)]


def make_redefined(conn: Connection) -> None:
    """Create the new tables of changed definitions from the current files.

    :raises RebuildRefusedError: if this account may not
    """
    changed = registry.changed(conn, meanings.all_meanings())
    if not changed:
        return
    definitions = load_vault()
    try:
        with conn.transaction():
            for one in changed:
                if one.kind == "mart":
                    _remake_mart(conn, load_marts()[one.name])
                else:
                    context = definitions.context(definitions.tables[one.name])
                    conn.execute(f"DROP TABLE {_NEW.dds}.{one.name} CASCADE")
                    for statement in migrate.table_statements(context, _NEW):
                        conn.execute(statement)
                    conn.execute(migrate.comment(context, _NEW))
            for statement in migrate.view_statements(_NEW):
                conn.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        paths = ", ".join(one.path for one in changed)
        message = (
            f"{paths}: what it says differs from what its table was made from. Only "
            "the owner of the warehouse can have it built anew: run `palate rebuild "
            "vault` with the owner's DWH_DSN."
        )
        raise RebuildRefusedError(message) from None


def accept(conn: Connection) -> None:
    """Record that the tables just swapped in have the new meaning."""
    changed = registry.changed(conn, meanings.all_meanings())
    if not changed:
        return
    for one in changed:
        registry.accept(conn, one)
        if one.kind == "mart":
            kept_totals.enter(conn, load_marts()[one.name])
    for statement in migrate.view_statements():
        conn.execute(statement)
    roles.grant(conn)


def redefined_tables(conn: Connection) -> set[str]:
    """Return the tables whose definition has changed."""
    found: set[str] = set()
    for one in registry.changed(conn, meanings.all_meanings()):
        if one.kind == "mart":
            found |= {f"cdm.{table}" for table in load_marts()[one.name].tables}
        else:
            found.add(f"dds.{one.name}")
    return found


def _remake_mart(conn: Connection, mart: Mart) -> None:
    for table in mart.tables:
        conn.execute(f"DROP TABLE IF EXISTS {_NEW.cdm}.{table}")
    for statement in (*tables.table_statements(mart, _NEW), tables.comment(mart, _NEW)):
        conn.execute(statement)
