"""Which rows of a mart have changed since its copy took them (ADR 0037).

A refresh logs the keys that it changes, in its own transaction. All that is done here
holds the mart's stage, so the numbers of the log stand in the order of the commits.
"""

from collections.abc import Collection

from palate.database import Connection
from palate.marts.models import Mart
from palate.settings import Settings
from palate.tables import initial_load


def keep(conn: Connection, settings: Settings, mart: Mart) -> None:
    """Begin to log a mart's changes, if its copy is wanted; drop the log if not.

    A mart without the whole history isn't copied: its readers would miss rows.
    """
    if mart.copied_to is None:
        return
    if not mart.copied_to.address(settings):
        for table in ("mart_copies", "mart_changes"):
            conn.execute(f"DELETE FROM ops.{table} WHERE mart = %s", (mart.name,))
    elif not initial_load.pending_of(conn, [mart.name]):
        conn.execute(
            "INSERT INTO ops.mart_copies (mart) VALUES (%s) ON CONFLICT DO NOTHING",
            (mart.name,),
        )


def compare_anew(conn: Connection, names: Collection[str] | None = None) -> None:
    """Let the next run of the copies compare all rows of these marts, or of all marts.

    For changes that are in no log: a mart was emptied and filled anew.
    """
    conn.execute(
        "UPDATE ops.mart_copies SET taken_token = NULL, next_token = NULL"
        " WHERE mart = ANY(%(marts)s::text[]) OR %(marts)s::text[] IS NULL",
        {"marts": None if names is None else list(names)},
    )
