"""How far a copy is: its watermark is in its own database, with its rows (ADR 0037).

Before a batch is committed there, the warehouse notes the token that the copy will have
then. So one look at the copy tells whether the batch was committed, whoever died when;
and a token that the warehouse doesn't know belongs to another history.
"""

from dataclasses import dataclass
from uuid import UUID, uuid4

from palate.database import Connection
from palate.marts import Mart, load_marts
from palate.settings import Settings
from palate.sql import render


@dataclass(frozen=True)
class Taken:
    """Up to which number the copy has a mart's changes.

    ``since`` is None if nobody knows: then all of the mart is compared.
    """

    since: int | None
    is_logged: bool = True


def wanted(settings: Settings, area: str) -> list[Mart]:
    """Return the marts of an area whose copy has an address."""
    return [mart for mart in load_marts(area).values() if mart.is_copied(settings)]


def taken(conn: Connection, mart: Mart, token: UUID | None) -> Taken:
    """Return how far a copy with this token is, as the warehouse knows it."""
    row = conn.execute(
        "SELECT taken_token, taken_change, next_token, next_change"
        " FROM ops.mart_copies WHERE mart = %s",
        (mart.name,),
    ).fetchone()
    if row is None:
        return Taken(None, is_logged=False)
    taken_token, taken_change, next_token, next_change = row
    if token is not None and token == next_token:
        return Taken(next_change)
    if token is not None and token == taken_token:
        return Taken(taken_change)
    return Taken(None)


def next_batch(
    conn: Connection, mart: Mart, token: UUID | None, since: int | None, most: int
) -> tuple[UUID, int] | None:
    """Begin a batch in the open transaction; return its token and its last change.

    :param since: the last change that the copy has; None for a batch of all rows
    :param most: so many changes at most
    :return: None if nothing has changed
    """
    values = {
        "mart": mart.name,
        # One of another history must stay unknown, whatever becomes of this batch.
        "token": None if since is None else token,
        "since": since or 0,
        "most": most,
    }
    if since is None:
        query = (
            "SELECT coalesce(max(change_id), 0) FROM ops.mart_changes"
            " WHERE mart = %(mart)s"
        )
    else:
        query = render("engine/copies/last_change.sql")
    (until,) = conn.execute(query, values).fetchone() or (None,)
    if until is None:
        return None
    found = uuid4()
    begin = render("engine/copies/begin_batch.sql")
    conn.execute(begin, values | {"next_token": found, "until": until})
    return found, int(until)


def settle(conn: Connection, mart: Mart, token: UUID | None, until: int) -> int:
    """Delete the changes that a copy with this token has; return how many.

    From now on the token before is unknown: a copy that is restored to it lacks them.
    """
    conn.execute(
        "UPDATE ops.mart_copies SET taken_token = next_token,"
        " taken_change = next_change WHERE (mart, next_token) = (%(mart)s, %(token)s)"
        " AND taken_token IS DISTINCT FROM next_token",
        {"mart": mart.name, "token": token},
    )
    return conn.execute(
        "DELETE FROM ops.mart_changes WHERE mart = %s AND change_id <= %s",
        (mart.name, until),
    ).rowcount
