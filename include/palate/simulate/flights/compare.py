"""The mart and its copy, compared with what the standby says they must be."""

from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from palate.simulate.errors import AirlineError, WarehouseError
from palate.simulate.flights.airline import Row

COLUMNS = (
    "passenger_id",
    "passenger_name",
    "flight_number",
    "flown_number",
    "purchase_sum",
    "home_airport_code",
    "home_airport",
)
MART, COPY = "cdm.presentation", "presentation.presentation"
_WORDS = Path(__file__).with_name("presentation.sql")


@dataclass(frozen=True)
class Difference:
    """A passenger of whom a table says something else than it must; None: no row."""

    table: str
    passenger_id: str
    must: Row | None
    found: Row | None


def truth(standby: str, language: str = "en") -> dict[str, Row]:
    """Return the rows of the mart by passenger, from the airline's own tables.

    :raises AirlineError: if the standby can't be asked
    """
    query = _WORDS.read_bytes()
    try:
        with psycopg.connect(standby, connect_timeout=10) as conn:
            rows = conn.execute(query, {"language": language}).fetchall()
    except psycopg.Error as error:
        code = error.sqlstate or type(error).__name__
        raise AirlineError(
            f"The standby (FLIGHTS_STANDBY_DSN) can't be asked: {code}."
        ) from None
    return {row[0]: row for row in rows}


def has_copy(dsn: str) -> bool:
    """Return whether the mart has been copied to that database.

    :raises WarehouseError: if it can't be asked
    """
    try:
        with psycopg.connect(dsn, connect_timeout=10) as conn:
            row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (COPY,)).fetchone()
    except psycopg.Error as error:
        code = error.sqlstate or type(error).__name__
        raise WarehouseError(f"MART_DSN can't be asked: {code}.") from None
    return bool(row and row[0])


def differences(must: dict[str, Row], dsn: str, table: str) -> list[Difference]:
    """Return where a table differs, by passenger.

    :param table: ``MART`` or ``COPY``
    :raises WarehouseError: if it can't be read
    """
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
        sql.Identifier(*table.split(".")),
    )
    try:
        with psycopg.connect(dsn, connect_timeout=10) as conn:
            found = {row[0]: row for row in conn.execute(query).fetchall()}
    except psycopg.Error as error:
        code = error.sqlstate or type(error).__name__
        raise WarehouseError(f"{table} can't be read: {code}.") from None
    return [
        Difference(table, one, must.get(one), found.get(one))
        for one in sorted(must.keys() | found.keys())
        if must.get(one) != found.get(one)
    ]
