"""What waits, from broker and ledger: one view for status, bell and watch.

A topic that can't be seen, or a log that is stopped, hides no other.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from palate.clients import Reader
from palate.database import Connection
from palate.errors import (
    AccessDeniedError,
    PalateError,
    PositionGapError,
    ServiceUnavailableError,
    TopicMissingError,
)
from palate.incidents import Kind, open_incidents
from palate.landing import epochs
from palate.marts import load_marts
from palate.positions import FeedPartition, watermarks
from palate.sources import Area
from palate.tables import initial_load


@dataclass(frozen=True)
class LogEnds:
    """What a broker has of a log.

    A stage that is new to it begins at ``first``. The broker keeps it from ``begin`` to
    ``high``; readable up to ``end``, which is less while a transaction is open.
    """

    first: int
    begin: int
    end: int
    high: int

    @property
    def open_transaction(self) -> int | None:
        """Return where the first open transaction begins, None if there is none."""
        return self.end if self.end < self.high else None


@dataclass
class Seen:
    """What was seen of some topics; ``unseen`` says why not, by topic or partition."""

    logs: dict[FeedPartition, LogEnds] = field(default_factory=dict)
    unseen: dict[str, PalateError] = field(default_factory=dict)


@dataclass(frozen=True)
class LogBacklog:
    """How far one log is, by the offset of the next message of each.

    ``first`` is where reading began, ``end`` where the broker's log ends, or None where
    it was not seen; ``in_marts`` is the mart that is furthest behind, without those
    that are being filled from the history.
    """

    log: FeedPartition
    first: int
    end: int | None
    staged: int
    loaded: int
    in_marts: int

    @property
    def newest(self) -> int:
        """Return the broker's end, or what is staged where that is further."""
        return max(self.staged, self.end or 0)

    @property
    def lag(self) -> int:
        """Return how many offsets the marts are behind."""
        return self.newest - self.in_marts


def measure(conn: Connection, reader: Reader, topics: Iterable[str]) -> Seen:
    """Ask the broker for topics, without writing.

    :raises PalateError: if the broker does not answer
    """
    seen = Seen()
    for topic in topics:
        try:
            state = reader.state(topic)
        except (TopicMissingError, AccessDeniedError) as error:
            seen.unseen[topic] = error
            continue
        registered = epochs.known(conn, state)
        if registered.refusal:
            seen.unseen[topic] = PositionGapError(registered.refusal)
        for partition, log in registered.logs.items():
            seen.logs[log] = LogEnds(
                registered.first[log],
                state.begin[partition],
                state.end[partition],
                state.high[partition],
            )
        for partition in state.leaderless:
            name = f"{topic}[{partition}]"
            seen.unseen[name] = ServiceUnavailableError(f"{name} has no leader.")
    return seen


def noted(conn: Connection, topics: Iterable[str]) -> Seen:
    """Return where the logs of topics ended at the last look of the watch.

    Nobody is asked: what has come since, what is gone, and what a transaction hides is
    unknown. A log that the watch did not see then is missing.
    """
    rows = conn.execute(
        "SELECT DISTINCT ON (m.topic, m.epoch, m.kafka_partition) m.topic, m.epoch,"
        " m.kafka_partition, m.mart_offset, m.end_offset"
        " FROM ops.watch AS w INNER JOIN ops.log_minutes AS m"
        " ON m.minute_dt >= date_trunc('minute', w.looked_dt)"
        " AND m.looked_dt >= w.looked_dt WHERE m.topic = ANY(%s)"
        " ORDER BY m.topic, m.epoch, m.kafka_partition, m.minute_dt DESC",
        (list(topics),),
    )
    return Seen(
        {
            # A log that no mart has begun counts from where reading it begins.
            FeedPartition(*log): LogEnds(in_marts, 0, end, end)
            for *log, in_marts, end in rows.fetchall()
        }
    )


def counting_marts(conn: Connection, area: Area) -> dict[str, dict[FeedPartition, int]]:
    """Return the watermarks of each mart that a message of an area has to reach.

    Without marts that are being filled from the history. If no other is left, the
    vault's watermarks count.
    """
    new = {item.name for item in initial_load.pending(conn)}
    found = {
        name: watermarks(conn, mart.stage)
        for name, mart in load_marts(area.name).items()
        if name not in new
    }
    return found or {area.vault: watermarks(conn, area.vault)}


def logs_of(conn: Connection, area: Area, seen: Seen) -> list[LogBacklog]:
    """Return how far an area's logs are: those it has staged, and those seen.

    :param seen: what was seen of its topics, before: otherwise messages counted
        meanwhile would seem to wait
    """
    staged: dict[FeedPartition, int] = {}
    for stage in area.upstream:
        staged |= watermarks(conn, stage)
    loaded = watermarks(conn, area.vault)
    marts = counting_marts(conn, area).values()
    found = []
    for log in sorted(staged.keys() | seen.logs.keys()):
        ends = seen.logs.get(log)
        first = ends.first if ends else 0
        found.append(
            LogBacklog(
                log=log,
                first=first,
                end=ends.high if ends else None,
                staged=staged.get(log, first),
                loaded=loaded.get(log, 0),
                in_marts=min(mart.get(log, first) for mart in marts),
            )
        )
    return found


def stopped_logs(conn: Connection) -> dict[str, str]:
    """Return why logs are stopped until somebody acts, by a log's name."""
    return {
        incident.subject: incident.message
        for incident in open_incidents(conn)
        if incident.kind in (Kind.GAP, Kind.UNREADABLE)
    }


def transaction_sentence(log: FeedPartition, ends: LogEnds) -> str:
    """Return the message about a transaction that hides what is behind it."""
    return (
        f"A transaction has been open since offset {ends.end} of {log}, which goes on "
        f"to {ends.high - 1}: what is behind it can't be read before it ends. See "
        "docs/operations.md, 'A transaction is open'."
    )
