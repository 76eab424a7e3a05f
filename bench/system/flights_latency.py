"""How long a commit at the airline takes to the mart, under the running Airflow."""

import time

import psycopg
from rich.progress import Progress

from bench.results import Figure, Limits
from bench.samples import Samples
from bench.services import Services, console
from palate.database import Connection, connect
from palate.settings import load_settings
from palate.simulate.flights.acts import fill_if_empty
from palate.simulate.flights.airline import connected

AREAS = "food,flights"
_FLIGHTS, _BOOKINGS = 30, 200
_POLL_SECONDS = 0.05
# The first load of all may have to wait for the tick, and for a snapshot.
_SECONDS_TO_START = 600
_SECONDS_TO_ARRIVE = 400
_PERCENTILES = {50: Limits(4, 4), 99: Limits(10, 10)}


def measure(services: Services, *, commits: int, every: float) -> Samples:
    """Change a passenger's name at the airline, again and again; return the seconds.

    :param every: seconds between two commits
    :raises RuntimeError: if a change does not arrive
    """
    console.print("Starting Airflow ...")
    services.stack.up_airflow()
    env = services.stack.env()
    with connected(env["FLIGHTS_AIRLINE_DSN"], 7) as one:
        fill_if_empty(one, _FLIGHTS, _BOOKINGS)
    settings = load_settings(dwh_dsn=env["DWH_DSN"], palate_areas=AREAS)
    found = Samples()
    with (
        connect(settings) as conn,
        psycopg.connect(env["FLIGHTS_AIRLINE_DSN"], autocommit=True) as airline,
        Progress(console=console) as progress,
    ):
        passenger = _change(airline, "BENCH 0")
        _wait(conn, passenger, "BENCH 0", _SECONDS_TO_START)
        for number in progress.track(range(1, commits + 1), description="Commits"):
            due = time.monotonic() + every
            name = f"BENCH {number}"
            passenger = _change(airline, name)
            start = time.monotonic()
            _wait(conn, passenger, name, _SECONDS_TO_ARRIVE)
            found.values.append(time.monotonic() - start)
            time.sleep(max(0.0, due - time.monotonic()))
    return found


def figures(found: Samples, every: float) -> list[Figure]:
    """Return the lines of the table."""
    case = f"a commit every {every:g} s, to the mart"
    return [
        Figure(
            "flights", f"{case}: p{percent}", found.percentile(percent), "s",
            found.values, limits,
        )
        for percent, limits in _PERCENTILES.items()
    ]  # fmt: skip


def _change(airline: "psycopg.Connection[tuple[str, ...]]", name: str) -> str:
    """Give all tickets of a passenger another name; return whose they are."""
    (passenger,) = airline.execute(
        "WITH chosen AS (SELECT passenger_id FROM bookings.tickets"
        " ORDER BY random() LIMIT 1)"
        " UPDATE bookings.tickets AS t SET passenger_name = %s"
        " FROM chosen AS c WHERE t.passenger_id = c.passenger_id"
        " RETURNING t.passenger_id",
        (name,),
    ).fetchone() or ("",)
    return passenger


def _wait(conn: Connection, passenger: str, name: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    query = (
        "SELECT FROM cdm.presentation WHERE passenger_id = %s AND passenger_name = %s"
    )
    while conn.execute(query, (passenger, name)).fetchone() is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"The name {name} of {passenger} did not arrive.")
        time.sleep(_POLL_SECONDS)
