"""The stage: compare the vault with the source's standby, and heal what may be healed.

After a new snapshot it heals: what was deleted before one, while nobody listened, is in
no message. Without one a difference is an alarm.
"""

from datetime import UTC, datetime

from psycopg.types.json import Jsonb

from palate import incidents
from palate.counted import counted
from palate.database import Connection, connect
from palate.engine import Caller, Outcome, StageRun, locks, open_run
from palate.errors import (
    AccessDeniedError,
    ServiceUnavailableError,
    SettingsError,
    SourceDiffersError,
)
from palate.incidents import Kind
from palate.reconcile import heal, looks
from palate.reconcile.compared import record_of, source_of
from palate.settings import Settings
from palate.sources import Area
from palate.vault import clock
from palate.vault import stage as vault

# What an incident may be about; each begins and ends by itself.
DIFFERS, GONE, STANDBY = "comparison", "gone", "standby"
_GUIDE = "See docs/flights-connector.md."
_EXAMPLES = 5


def is_due(settings: Settings, area: Area) -> bool:
    """Return whether a snapshot has come that was not compared yet."""
    with connect(settings) as conn:
        return bool(settings.flights_standby_dsn.get_secret_value()) and bool(
            unverified(conn, area)
        )


def unverified(conn: Connection, area: Area) -> list[tuple[int, int]]:
    """Return the generation and the LSN of each snapshot that was not compared."""
    return conn.execute(
        f"SELECT s.generation, s.lsn FROM dds.{record_of(area, 'snapshots')} AS s"
        " WHERE NOT EXISTS (SELECT FROM ops.comparisons AS c WHERE c.area = %s"
        " AND c.is_equal AND (c.generation, c.lsn) >= (s.generation, s.lsn))"
        " ORDER BY s.generation, s.lsn",
        (area.name,),
    ).fetchall()


def run(
    settings: Settings,
    area: Area,
    caller: Caller,
    *,
    must_heal: bool = False,
    may_end_many: bool = False,
) -> Outcome:
    """Compare all tables with the standby's; heal differences after a new snapshot.

    :param must_heal: heal without a new snapshot, too
    :param may_end_many: also where many rows of a table are gone at once
    :raises SourceDiffersError: if differences are left
    :raises SourceHeldError: if the source is held
    """
    feed = source_of(area).feed or ""
    if not settings.flights_standby_dsn.get_secret_value():
        return Outcome(
            feed,
            note="Nothing was compared: FLIGHTS_STANDBY_DSN names no standby.",
        )
    with open_run(settings, feed, caller) as attempt, locks.kept_awake([attempt.conn]):
        clock.refuse_held(attempt, settings, area)
        try:
            left = _run(attempt, settings, area, caller, must_heal, may_end_many)
        except (ServiceUnavailableError, AccessDeniedError, SettingsError) as error:
            incidents.begin(attempt.conn, Kind.SOURCE, STANDBY, f"{error} {_GUIDE}")
            raise
        outcome = attempt.outcome
    if left:
        raise SourceDiffersError(" ".join(left.values()))
    return outcome


def _run(
    attempt: StageRun,
    settings: Settings,
    area: Area,
    caller: Caller,
    must_heal: bool,
    may_end_many: bool,
) -> dict[str, str]:
    """Compare and heal; return what is left, by subject."""
    conn, began = attempt.conn, datetime.now(UTC)
    number = looks.generation(conn, settings, area)
    newest = [lsn for at, lsn in unverified(conn, area) if at == number]
    first, last = looks.compare(
        conn, settings, area, caller, at_least=max(newest, default=0)
    )
    counts = _count(conn)
    snapshots = [one for one in unverified(conn, area) if one <= (number, first.lsn)]
    held: dict[str, int] = {}
    if counts and (must_heal or snapshots):
        tables = looks.differing(conn, area)
        if not may_end_many:
            held = heal.held_back(attempt, tables)
        heal.stage(attempt, settings, area, tables, last, held)
        vault.load_waiting(settings, area, caller)
        looks.again(conn, settings, area, last)
    left = _left(conn, held, must_heal or bool(snapshots))
    attempt.outcome.counts.update(counts)
    with attempt.transaction():
        conn.execute(
            "INSERT INTO ops.comparisons"
            " (area, generation, lsn, began_dt, is_equal, counts)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (area.name, number, first.lsn, began, not left, Jsonb(counts)),
        )
        incidents.keep(conn, Kind.SOURCE, {DIFFERS, GONE, STANDBY}, left)
    if not counts:
        attempt.outcome.note = f"As of LSN {first.lsn} the vault is what the source is."
    return left


def _count(conn: Connection) -> dict[str, int]:
    rows = conn.execute(
        "SELECT table_name || ' ' || what, count(*) FROM differences GROUP BY 1"
        " ORDER BY 1"
    ).fetchall()
    return dict(rows)


def _left(conn: Connection, held: dict[str, int], was_healed: bool) -> dict[str, str]:
    """Return the messages about what still differs."""
    found = {}
    if held:
        shown = ", ".join(f"{n} of {table}" for table, n in sorted(held.items()))
        found[GONE] = (
            f"More rows are gone from the source at once than are ended without a "
            f"person: {shown}. If that is right: `palate flights heal --confirm`. "
            f"{_GUIDE}"
        )
    rows = conn.execute(
        "SELECT table_name, row_key::text, what FROM differences"
        " WHERE NOT (what = 'gone' AND table_name = ANY(%s))"
        " ORDER BY table_name, row_key",
        (sorted(held),),
    ).fetchall()
    if rows:
        shown = "; ".join(f"{t} {key} {what}" for t, key, what in rows[:_EXAMPLES])
        more = ", ..." if len(rows) > _EXAMPLES else ""
        what = (
            "though they were healed: `palate rejected list` may say why"
            if was_healed
            else "without a new snapshot. Find out why, then `palate flights heal`"
        )
        found[DIFFERS] = (
            f"{counted(len(rows), 'row')} of the vault differ from the source, {what}. "
            f"{shown}{more}. {_GUIDE}"
        )
    return found
