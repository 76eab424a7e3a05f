"""What reloads and rebuilds found, and how far those under way are."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from palate.database import Connection
from palate.errors import NotFoundError
from palate.history import rebuild as rebuilding
from palate.history import rebuild_report
from palate.history import reload as reloading
from palate.settings import Settings
from palate.sources import catalog

PAGE = 50

_RELOADS = """
SELECT l.reload_id, l.dag_id, l.run_id, l.from_dt, l.to_dt, l.source, l.planned_dt,
    l.finished_dt, l.dag_id = ANY(%(streams)s), f.healed, f.differing, s.begun, s.done,
    b.committed_dt
FROM ops.reloads AS l
CROSS JOIN LATERAL (
    SELECT coalesce(sum(y.healed), 0)::bigint AS healed,
        coalesce(sum(y.differing), 0)::bigint AS differing
    FROM ops.reload_layers AS y WHERE y.reload_id = l.reload_id
) AS f
CROSS JOIN LATERAL (
    SELECT count(*) AS begun, count(g.finished_dt) AS done
    FROM ops.reload_stages AS g WHERE g.reload_id = l.reload_id
) AS s
LEFT JOIN ops.batches AS b ON l.finished_dt IS NULL AND b.batch_id = (
    SELECT max(d.batch_id) FROM ops.reload_batches AS d WHERE d.reload_id = l.reload_id
)
"""
# Each once, by the index, however many rows one has.
_DAGS = """
WITH RECURSIVE found (dag_id) AS (
    SELECT min(dag_id) FROM ops.reloads
    UNION ALL
    SELECT (SELECT min(l.dag_id) FROM ops.reloads AS l WHERE l.dag_id > f.dag_id)
    FROM found AS f WHERE f.dag_id IS NOT NULL
)
SELECT dag_id FROM found WHERE dag_id IS NOT NULL
"""
_REBUILDS = (
    "SELECT rebuild_id, dag_id, run_id, begun_dt, compared_dt, differing,"
    " coalesce(approved_dt >= compared_dt, FALSE), finished_dt, outcome"
    " FROM ops.rebuilds"
)


@dataclass(frozen=True)
class Reload:
    """A reload or a backfill of the broker times ``from_dt <= time < to_dt``.

    ``healed`` rows were missing or wrong and are right now, ``differing`` ones are left
    as they are. A backfill has no report: it ends when its stages are done.
    ``last_batch_dt`` is None once there is a report.
    """

    reload_id: int
    dag_id: str
    run_id: str
    from_dt: datetime
    to_dt: datetime
    source: str
    planned_dt: datetime
    finished_dt: datetime | None
    is_backfill: bool
    healed: int
    differing: int
    stages_begun: int
    stages_done: int
    last_batch_dt: datetime | None

    @property
    def state(self) -> str:
        """Return ``differs``, ``done`` or ``not finished``: under way, or killed."""
        if self.differing:
            return "differs"
        is_done = self.finished_dt is not None
        if self.is_backfill:
            is_done = 0 < self.stages_begun == self.stages_done
        return "done" if is_done else "not finished"


@dataclass(frozen=True)
class Reloads:
    """A page of reloads or of backfills, and the last rebuilds, the newest first.

    ``older`` is the id that the next page begins before, or None. ``dags`` start a
    reload.
    """

    backfills: bool
    dags: list[str]
    reloads: list[Reload]
    older: int | None
    rebuilds: list["Rebuild"]


@dataclass(frozen=True)
class ReloadLayer:
    """One layer: how far it is, and what was found, which is None before its end.

    ``positions`` and ``guests`` are done; of ``planned`` positions, where they are
    counted. Without ``begun_dt`` its turn has not come.
    """

    layer: str
    found: reloading.Layer | None
    planned: int | None
    begun_dt: datetime | None
    finished_dt: datetime | None
    last_batch_dt: datetime | None
    positions: int
    guests: int


@dataclass(frozen=True)
class ReloadSeen:
    """One reload, layer by layer, without the rows that differ.

    :param positions: those of its times
    :param not_on_broker: how many of them STG alone has
    """

    reload: Reload
    area: str | None
    positions: int
    not_on_broker: int
    layers: list[ReloadLayer]


@dataclass(frozen=True)
class Rebuild:
    """Vault and marts built anew beside the live ones, compared, and swapped."""

    rebuild_id: int
    dag_id: str
    run_id: str
    begun_dt: datetime
    compared_dt: datetime | None
    differing: int | None
    is_approved: bool
    finished_dt: datetime | None
    outcome: str | None

    @property
    def state(self) -> str:
        """Return what it does now, or how it ended."""
        if self.outcome:
            return self.outcome
        if self.compared_dt is None:
            return "being built"
        waits = self.differing and not self.is_approved
        return "waits for approval" if waits else "about to be swapped"


@dataclass(frozen=True)
class Rebuilds:
    """A page of rebuilds, the newest first."""

    rebuilds: list[Rebuild]
    older: int | None


@dataclass(frozen=True)
class RebuiltTable:
    """A live table and the new one: the live one lacks ``missing`` rows, and so on.

    Of an ``is_redefined`` table all rows differ, and none is compared.
    """

    name: str
    is_redefined: bool
    live: int
    rebuilt: int
    missing: int
    extra: int
    changed: int
    differing: int


@dataclass(frozen=True)
class RebuildSeen:
    """One rebuild, table by table, without the rows that differ.

    ``done`` of ``total`` positions are in the new vault; None once it has ended.
    """

    rebuild: Rebuild
    done: int | None
    total: int | None
    tables: list[RebuiltTable]


@dataclass(frozen=True)
class FoundRows:
    """Some rows that a reload corrected, or that differ, by layer or table.

    They may be personal data.

    :param what: ``reload`` or ``rebuild``
    """

    what: str
    id: int
    rows: dict[str, list[dict[str, Any]]]


def reloads(
    conn: Connection,
    settings: Settings,
    *,
    backfills: bool = False,
    before: int | None = None,
    limit: int = PAGE,
) -> Reloads:
    """Return a page of reloads, or of backfills.

    :param before: only those with a smaller id
    """
    streams = _streams()
    dags = [
        dag_id for (dag_id,) in conn.execute(_DAGS) if (dag_id in streams) is backfills
    ]
    rows = conn.execute(
        f"{_RELOADS} WHERE l.dag_id = ANY(%(dags)s)"
        " AND (%(before)s::bigint IS NULL OR l.reload_id < %(before)s)"
        " ORDER BY l.reload_id DESC LIMIT %(limit)s",
        {
            "streams": streams,
            "dags": dags,
            "before": before,
            "limit": limit + 1,
        },
    ).fetchall()
    found = [Reload(*row) for row in rows[:limit]]
    return Reloads(
        backfills=backfills,
        dags=[area.history_dag for area in catalog.areas(settings)],
        reloads=found,
        older=found[-1].reload_id if len(rows) > limit else None,
        rebuilds=rebuilds(conn, limit=3).rebuilds,
    )


def reload(conn: Connection, reload_id: int) -> ReloadSeen:
    """Return one reload or backfill.

    :raises NotFoundError: if there is none of this id
    """
    row = conn.execute(
        f"{_RELOADS} WHERE l.reload_id = %(id)s",
        {"id": reload_id, "streams": _streams()},
    ).fetchone()
    if row is None:
        raise _unknown("reload", reload_id)
    compared, positions = conn.execute(
        "SELECT coalesce(sum(to_offset - from_offset) FILTER (WHERE is_compared), 0),"
        " coalesce(sum(to_offset - from_offset) FILTER (WHERE NOT is_compared), 0)"
        " FROM ops.reload_ranges WHERE reload_id = %s",
        (reload_id,),
    ).fetchone() or (0, 0)
    stages = {
        stage: at
        for stage, *at in conn.execute(
            "SELECT stage, begun_dt, finished_dt, last_batch_dt, positions, guests"
            " FROM ops.v_reload_progress WHERE reload_id = %s",
            (reload_id,),
        )
    }
    recorded = reloading.recorded(conn, reload_id)
    area, names = _layers(stages, recorded)
    planned = {reloading.MESSAGES: int(compared), reloading.VAULT: int(positions)}
    return ReloadSeen(
        reload=Reload(*row),
        area=area,
        positions=int(positions),
        not_on_broker=int(positions - compared),
        layers=[
            ReloadLayer(
                layer,
                _without_rows(recorded.get(layer)),
                planned.get(layer),
                *(stages.get(stage) or (None, None, None, 0, 0)),
            )
            for stage, layer in names.items()
        ],
    )


def reload_rows(conn: Connection, reload_id: int) -> FoundRows:
    """Return the rows that were kept of a reload."""
    found = reloading.recorded(conn, reload_id)
    rows = {name: one.examples for name, one in found.items()}
    return FoundRows("reload", reload_id, rows)


def rebuilds(
    conn: Connection, *, before: int | None = None, limit: int = PAGE
) -> Rebuilds:
    """Return a page of rebuilds.

    :param before: only those with a smaller id
    """
    rows = conn.execute(
        f"{_REBUILDS} WHERE %(before)s::bigint IS NULL OR rebuild_id < %(before)s"
        " ORDER BY rebuild_id DESC LIMIT %(limit)s",
        {"before": before, "limit": limit + 1},
    ).fetchall()
    found = [Rebuild(*row) for row in rows[:limit]]
    return Rebuilds(found, found[-1].rebuild_id if len(rows) > limit else None)


def rebuild(conn: Connection, rebuild_id: int) -> RebuildSeen:
    """Return one rebuild.

    :raises NotFoundError: if there is none of this id
    """
    row = conn.execute(f"{_REBUILDS} WHERE rebuild_id = %s", (rebuild_id,)).fetchone()
    if row is None:
        raise _unknown("rebuild", rebuild_id)
    seen = Rebuild(*row)
    done, total = (None, None) if seen.outcome else rebuilding.progress(conn)
    return RebuildSeen(
        rebuild=seen,
        done=done,
        total=total,
        tables=[
            RebuiltTable(
                one.name,
                one.is_redefined,
                one.live,
                one.rebuilt,
                one.missing,
                one.extra,
                one.changed,
                one.differing,
            )
            for one in rebuild_report.compared(conn, rebuild_id)
        ],
    )


def rebuild_rows(conn: Connection, rebuild_id: int) -> FoundRows:
    """Return the keys of rows that were kept of a rebuild."""
    tables = rebuild_report.compared(conn, rebuild_id)
    rows = {one.name: one.examples for one in tables}
    return FoundRows("rebuild", rebuild_id, rows)


def _streams() -> list[str]:
    """Return the DAGs whose backfills plan positions too.

    Of all areas: what one did stays readable while it is off.
    """
    return [area.dag for area in catalog.all_areas()]


def _layers(
    begun: Iterable[str], recorded: Iterable[str]
) -> tuple[str | None, dict[str, str]]:
    """Return the area that stages are of, and its layers by their stages.

    A layer whose definition is gone stands behind them, by its own name.
    """
    found: str | None = None
    names: dict[str, str] = {}
    for area in catalog.all_areas():
        own = {reloading.stage_of(area, one): one for one in reloading.layers(area)}
        if own.keys() & set(begun):
            found, names = area.name, own
            break
    names |= {stage: stage for stage in begun if stage not in names}
    return found, names | {
        layer: layer for layer in recorded if layer not in names.values()
    }


def _without_rows(layer: reloading.Layer | None) -> reloading.Layer | None:
    return replace(layer, examples=[]) if layer else None


def _unknown(what: str, number: int) -> NotFoundError:
    return NotFoundError(
        f"There is no {what} {number}. They are kept as long as the ledger."
    )
