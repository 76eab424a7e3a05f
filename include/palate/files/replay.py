"""Files that were refused: which there are, judged again, dismissed.

A replay judges by today's schema. What is staged stays as it is: of a file that is
partly loaded only the refused records are judged, and those that are accepted now are
queued in the area's feed of replays, which its vault takes like any other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from palate import incidents
from palate.database import Connection, connect
from palate.engine import Caller, Outcome, StageRun, open_run
from palate.errors import NotFoundError, RequestError
from palate.files import verdict
from palate.files.objects import Store
from palate.files.stage import STAGE, count, store_of
from palate.incidents import Kind
from palate.positions import FeedPartition, Range, watermarks
from palate.settings import Settings
from palate.sources import Area

REFUSED = ("invalid", "unreadable", "partly_loaded")
_PARTLY = ("partly_loaded",)


@dataclass(frozen=True)
class Selection:
    """Which refused imports are meant; what is None or empty excludes none.

    Dismissed ones are meant only by their ids.

    :param reason: a keyword of the schema that a record breaks
    :param limit: so many, the first received first
    """

    imports: tuple[UUID, ...] = ()
    dataset: str | None = None
    state: str | None = None
    reason: str | None = None
    limit: int | None = None

    @property
    def is_everything(self) -> bool:
        """Return whether nothing narrows the selection."""
        return self == Selection(limit=self.limit)


@dataclass(frozen=True)
class Refused:
    """A file that was refused.

    :param problem: the first thing that is wrong with it
    """

    import_id: UUID
    company: str
    dataset: str
    state: str
    records: int
    invalid: int
    received: datetime
    problem: str | None


def selection(
    imports: Iterable[str] = (),
    dataset: str | None = None,
    state: str | None = None,
    reason: str | None = None,
    limit: int | None = None,
) -> Selection:
    """Return a selection from what a person wrote.

    :raises RequestError: if an id is none, or files of the state are not refused
    """
    if state is not None and state not in REFUSED:
        message = f"No file that is {state} was refused. States: {', '.join(REFUSED)}."
        raise RequestError(message)
    ids = []
    for one in imports:
        try:
            ids.append(UUID(one.strip()))
        except ValueError:
            message = f"{one!r} is no import's id, such as `palate files list` shows."
            raise RequestError(message) from None
    return Selection(tuple(ids), dataset, state, reason, limit)


def refused(conn: Connection, asked: Selection) -> list[Refused]:
    """Return the selected files, the first received first."""
    rows = conn.execute(
        "SELECT i.import_id, i.company, i.dataset, i.state, i.records, i.invalid,"
        " i.received_dt, (SELECT format('record %%s%%s: %%s', p.record_no,"
        " ' ' || nullif(p.pointer, ''), p.detail) FROM stg.file_problems AS p"
        " WHERE p.import_id = i.import_id ORDER BY p.problem_no LIMIT 1)"
        f" FROM ops.imports AS i {_WHERE} ORDER BY i.import_no LIMIT %(limit)s",
        _values(asked, REFUSED),
    )
    return [Refused(*row) for row in rows.fetchall()]


def run(
    settings: Settings, area: Area, caller: Caller, asked: Selection
) -> list[Outcome]:
    """Judge the selected files again, each in a transaction of its own.

    Files that are loaded by now are left alone: a second replay adds nothing. What an
    earlier attempt of the same task has judged is not judged again.

    :raises NotFoundError: if an import that is named is not there
    """
    store, outcomes = store_of(settings), []
    with connect(settings) as conn:
        _check_there(conn, asked)
    whole = tuple(state for state in REFUSED if state not in _PARTLY)
    with open_run(settings, area.stage(STAGE), caller) as attempt:
        for number in _chosen(attempt, asked, whole):
            _judge_file(attempt, settings, store, number)
        outcomes.append(attempt.outcome)
    with open_run(settings, area.replays, caller) as attempt:
        for number in _chosen(attempt, asked, _PARTLY):
            _judge_records(attempt, store, number)
        outcomes.append(attempt.outcome)
    return outcomes


def dismiss(settings: Settings, asked: Selection, who: str, why: str) -> int:
    """Dismiss refused files: their objects may go, and nobody is told of them.

    :return: how many; who dismissed a file first stays
    :raises NotFoundError: if an import that is named is not there
    """
    with connect(settings) as conn, conn.transaction():
        _check_there(conn, asked)
        done = conn.execute(
            "UPDATE ops.imports AS i SET dismissed_dt = now(), dismissed_by = %(who)s,"
            f" dismissed_why = %(why)s {_WHERE} AND dismissed_dt IS NULL"
            " RETURNING i.import_id",
            _values(asked, REFUSED) | {"who": who, "why": why},
        ).fetchall()
        for (number,) in done:
            incidents.end(conn, Kind.FILE, str(number))
    return len(done)


_WHERE = (
    "WHERE i.state = ANY(%(states)s)"
    " AND (%(ids)s::uuid[] IS NULL OR i.import_id = ANY(%(ids)s))"
    " AND (%(ids)s::uuid[] IS NOT NULL OR i.dismissed_dt IS NULL)"
    " AND (%(dataset)s::text IS NULL OR i.dataset = %(dataset)s)"
    " AND (%(state)s::text IS NULL OR i.state = %(state)s)"
    " AND (%(reason)s::text IS NULL OR EXISTS (SELECT FROM stg.file_problems AS p"
    " WHERE p.import_id = i.import_id AND p.reason = %(reason)s))"
)


def _values(asked: Selection, states: tuple[str, ...]) -> dict[str, object]:
    return {
        "states": list(states),
        "ids": list(asked.imports) or None,
        "dataset": asked.dataset,
        "state": asked.state,
        "reason": asked.reason,
        "limit": asked.limit,
    }


def _chosen(attempt: StageRun, asked: Selection, states: tuple[str, ...]) -> list[UUID]:
    """Return the imports that are meant and not judged by this task already."""
    rows = attempt.conn.execute(
        f"SELECT i.import_id FROM ops.imports AS i {_WHERE}"
        " AND i.finished_dt < (SELECT min(r.started_dt) FROM ops.stage_runs AS r"
        " WHERE (r.dag_id, r.run_id, r.task_id, r.map_index)"
        " = (%(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s))"
        " ORDER BY i.import_no LIMIT %(limit)s",
        _values(asked, states) | attempt.identity(),
    )
    return [number for (number,) in rows.fetchall()]


def _check_there(conn: Connection, asked: Selection) -> None:
    known = conn.execute(
        "SELECT import_id FROM ops.imports WHERE import_id = ANY(%s)"
        " AND object_key IS NOT NULL",
        (list(asked.imports),),
    ).fetchall()
    missing = sorted(map(str, {*asked.imports} - {number for (number,) in known}))
    if missing:
        message = (
            f"There is no import {', '.join(missing)} whose file was kept. `palate "
            "files list` shows those that were refused."
        )
        raise NotFoundError(message)


def _judge_file(
    attempt: StageRun, settings: Settings, store: Store, number: UUID
) -> None:
    with attempt.batch([], has_ranges=False) as batch:
        found = verdict.find(attempt.conn, number)
        if found is None or found.state not in REFUSED:
            return
        # Of an import that is judged late its records keep the time when it came.
        judged = verdict.judge(
            *(attempt.conn, settings, store, found),
            *(found.received, batch.load_dt),
        )
        count(batch, judged)


def _judge_records(attempt: StageRun, store: Store, number: UUID) -> None:
    conn = attempt.conn
    with attempt.batch([], has_ranges=False) as batch:
        found = verdict.find(conn, number)
        if found is None or found.state not in _PARTLY:
            return
        judged, accepted = verdict.judge_refused_records(conn, store, found)
        count(batch, judged)
        feed = FeedPartition(attempt.stage, 0, 0)
        start = watermarks(conn, attempt.stage).get(feed, 0)
        conn.execute(
            "INSERT INTO ops.replays (feed, replay_offset, topic, epoch,"
            " kafka_partition, kafka_offset, asked_dt)"
            " SELECT %s, %s + p.place - 1, %s, 0, 0, p.kafka_offset, %s"
            " FROM unnest(%s::bigint[]) WITH ORDINALITY AS p (kafka_offset, place)",
            (
                *(feed.topic, start, found.dataset.feed),
                *(batch.load_dt, accepted),
            ),
        )
        if accepted:
            batch.ranges = [Range(feed, start, start + len(accepted))]
