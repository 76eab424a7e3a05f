"""What is known of one dictionary entry: versions, menu, and the value in Redis."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from palate.clients import redis_connection
from palate.database import Connection, connect
from palate.errors import NotFoundError, PalateError
from palate.landing import dictionaries
from palate.names import DICTIONARY_FEED
from palate.settings import Settings
from palate.sql import execute, render

_SQL = "areas/food/sources/dictionaries"


@dataclass(frozen=True)
class Version:
    """One version of an entry, as it was staged; ``dishes`` is None for a guest."""

    version_dt: datetime
    staged_dt: datetime
    name: str
    login: str | None
    dishes: int | None


@dataclass(frozen=True)
class Dish:
    """A dish that a menu of this restaurant has had, and a category it belonged to.

    ``from_dt`` is None for the first known category, which counts for all time before
    too; ``until_dt`` is None for the current one. The menus of all restaurants decide.
    """

    product_id: str
    product_name: str | None
    is_on_menu: bool
    price: Decimal | None
    category_name: str | None
    from_dt: datetime | None
    until_dt: datetime | None


@dataclass(frozen=True)
class Entry:
    """Everything about one id; ``waiting`` says why it is requested again."""

    id: str
    kind: str
    name: str | None
    login: str | None
    versions: list[Version]
    menu: list[Dish]
    waiting: list[dict[str, Any]]
    redis: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; ``str`` for what JSON lacks."""
        return asdict(self)


def find_entry(settings: Settings, id: str) -> Entry:
    """Return what the warehouse and Redis know of an id.

    A Redis that does not answer is reported in ``redis``; the rest is shown all the
    same.

    :raises NotFoundError: if no order, no entry and no key in Redis has the id
    """
    with connect(settings) as conn:
        kind, name, login = _named(conn, id)
        rows = execute(conn, render(f"{_SQL}/show_versions.sql"), {"id": id})
        versions = [Version(*row) for row in rows.fetchall()]
        values = {"id": id, "feed": DICTIONARY_FEED}
        rows = execute(conn, render(f"{_SQL}/show_menu.sql"), values)
        menu = [Dish(*row) for row in rows.fetchall()]
        rows = execute(conn, render(f"{_SQL}/show_waiting.sql"), {"id": id})
        names = ("for", "tried_cnt", "next_try_dt", "problem")
        waiting = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
        said = _said_by_redis(settings, conn, id)
    if said is None and kind == "unknown" and not versions:
        message = (
            f"Nobody knows the id {id}: no order names it, and neither Redis nor "
            "stg.dictionary_entries has it. Ids compare by every character."
        )
        raise NotFoundError(message)
    said = said or "has no such key, or one that holds no string"
    return Entry(id, kind, name, login, versions, menu, waiting, said)


def _named(conn: Connection, id: str) -> tuple[str, str | None, str | None]:
    row = conn.execute(
        "SELECT 'restaurant', restaurant_name, NULL FROM dds.v_restaurant_name"
        " WHERE restaurant_id = %(id)s"
        " UNION ALL SELECT 'guest', username, userlogin FROM dds.v_user_name"
        " WHERE user_id = %(id)s LIMIT 1",
        {"id": id},
    ).fetchone()
    return row or ("unknown", None, None)


def _said_by_redis(settings: Settings, conn: Connection, id: str) -> str | None:
    try:
        with redis_connection.open_redis(
            settings, "the dictionaries", "The rest is shown."
        ) as client:
            (value,) = redis_connection.read_values(client, [id])
    except PalateError as error:
        return str(error)
    if value is None:
        return None
    with conn.transaction():
        dictionaries.check_entries(conn, [id], [value])
        rows = conn.execute(render(f"{_SQL}/show_redis.sql")).fetchall()
    (problem, version_dt, is_known) = rows[0]
    if problem:
        return f"has something that counts as missing: {problem}"
    if is_known:
        return f"has the version of {version_dt}, which is staged"
    return f"has a version of {version_dt} that is not staged yet"
