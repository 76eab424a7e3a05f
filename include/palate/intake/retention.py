"""How long files are kept in the store; rows of imports stay for ever."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from palate.database import Connection
from palate.engine import Caller, StageRun, open_run
from palate.files import IntakeSettings, objects
from palate.settings import Settings
from palate.sources import Area

log = logging.getLogger(__name__)

STAGE = "objects"
# An upload takes a quarter of an hour at most: younger ones may be on their way in.
_ORPHAN_HOURS = 24
_AT_ONCE = 1_000
_KEY = re.compile(r"[a-z0-9-]+/files/[0-9a-f]{64}\.\w+")


@dataclass
class Tidied:
    """What became, or would become, of the objects in the store."""

    is_dry_run: bool
    expired: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    kept: int = 0

    def __str__(self) -> str:
        """Return one line for the task's log."""
        would = "would be " if self.is_dry_run else ""
        return (
            f"{STAGE}: {len(self.expired)} old and {len(self.orphans)} that no import "
            f"names {would}removed, {self.kept} kept."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same for XCom and for JSON."""
        return {
            "stage": STAGE,
            "dry_run": self.is_dry_run,
            "expired": self.expired,
            "orphans": self.orphans,
            "kept": self.kept,
        }


def retain(
    settings: Settings, area: Area, caller: Caller, *, dry_run: bool = False
) -> Tidied:
    """Remove files that are old enough, and objects that no import names.

    Without ``PALATE_INTAKE_KEEP_DAYS`` only the latter go. A file that waits to be
    judged stays, and so does one that was refused until it is dismissed.

    :param dry_run: only report what would be done
    :raises ServiceUnavailableError: if the store does not answer
    """
    own = IntakeSettings.loaded(**settings.model_dump())
    store, days = objects.open_store(own), own.palate_intake_keep_days
    now = datetime.now(UTC)
    found = Tidied(dry_run)
    with open_run(settings, area.stage(STAGE), caller) as attempt:
        before = None if days is None else now - timedelta(days=days)
        for one, is_known in _may_go(attempt.conn, store, now, before, found):
            if dry_run or _remove(attempt, store, one.key, before):
                (found.expired if is_known else found.orphans).append(one.key)
            else:
                found.kept += 1
        log.info("%s", found)
    return found


def _may_go(
    conn: Connection,
    store: objects.Store,
    now: datetime,
    before: datetime | None,
    counted: Tidied,
) -> Iterator[tuple[objects.Found, bool]]:
    """Yield the objects that need not stay, each with whether an import names it."""
    files = (one for one in store.list() if _KEY.fullmatch(one.key))
    while some := list(islice(files, _AT_ONCE)):
        needed = _needed(conn, [one.key for one in some], before)
        for one in some:
            is_known = one.key in needed
            is_young = one.modified > now - timedelta(hours=_ORPHAN_HOURS)
            if needed.get(one.key, is_young):
                counted.kept += 1
            else:
                yield one, is_known


def _needed(
    conn: Connection, keys: list[str], before: datetime | None
) -> dict[str, bool]:
    """Return of each key that an import names whether its object has to stay."""
    rows = conn.execute(
        "SELECT object_key, bool_or(%(before)s::timestamptz IS NULL"
        " OR received_dt >= %(before)s OR state = 'received'"
        " OR state IN ('invalid', 'unreadable') AND dismissed_dt IS NULL)"
        " FROM ops.imports WHERE object_key = ANY(%(keys)s) GROUP BY object_key",
        {"keys": keys, "before": before},
    )
    return dict(rows.fetchall())


def _remove(
    attempt: StageRun, store: objects.Store, key: str, before: datetime | None
) -> bool:
    """Remove an object, unless somebody is about to name it, or has meanwhile."""
    with attempt.transaction():
        (is_free,) = attempt.conn.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))",
            (objects.lock_name(key),),
        ).fetchone() or (False,)
        if not is_free or _needed(attempt.conn, [key], before).get(key, False):
            return False
        store.remove(key)
        return True
