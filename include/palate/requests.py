"""Requests of a form, of REST or of a shell, all checked here.

A request that makes no sense fails with the known names, before anything is done. A
form is a mapping with all its fields, an empty one as None.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

from palate.database import Connection, connect
from palate.decisions import check_known
from palate.engine import plans
from palate.errors import RequestError
from palate.landing import drain, refusals
from palate.positions import FeedPartition
from palate.settings import Settings
from palate.sources import Area, catalog, load_reasons
from palate.times import moment

WEEK = timedelta(days=7)

_MOST_NUMBER = 2**31 - 1
_MOST_OFFSET = 2**63 - 2
_POSITIONS = re.compile(
    r"([A-Za-z0-9._-]{1,249})/([0-9]{1,10})/([0-9]{1,10})\s*:\s*(.+)", re.DOTALL
)
_OFFSETS = re.compile(r"([0-9]{1,19})(?:\s*\.\.\s*([0-9]{1,19}))?")


def limits(form: Mapping[str, Any], settings: Settings, area: Area) -> drain.Limits:
    """Return the limits of a run.

    :raises RequestError: if the area has no such topic
    """
    for topic in form["topics"]:
        check_known("topic", topic, catalog.topics(settings, area))
    numbers = (form["partitions"] or "").split(",")
    minutes = form["minutes"]
    return drain.Limits(
        topics=tuple(form["topics"]),
        partitions=tuple(int(n) for n in numbers) if form["partitions"] else None,
        messages=form["messages"],
        seconds=minutes * 60 if minutes else None,
    )


def history(
    start: str | datetime | None,
    end: str | datetime | None,
    source: str,
    names: tuple[str, str] = ("From", "To"),
) -> plans.Request:
    """Return the broker times of a reload; without a start, a week.

    :param names: the names of start and end in the request
    :raises RequestError: if they are no times, or the start isn't before the end
    """
    to = moment(end, names[1]) if isinstance(end, str) else end
    since = moment(start, names[0]) if isinstance(start, str) else start
    if to is None:
        message = f"{names[1]} is missing."
        raise RequestError(message)
    since = since or to - WEEK
    _check_order(since, to, names)
    return plans.Request(since, to, plans.ReadFrom(source))


def check_rebuild(form: Mapping[str, Any]) -> None:
    """Refuse a rebuild with times or a source: it always reads all of STG.

    :raises RequestError: names the fields that have no meaning
    """
    given = [name for name in ("from", "to") if form[name]]
    if form["source"] != plans.ReadFrom.AUTO:
        given.append("source")
    if given:
        message = (
            "A rebuild builds all that STG has; it can't be narrowed by "
            f"{', '.join(given)}. Leave these as they were, or choose a reload."
        )
        raise RequestError(message)


def selection(
    settings: Settings,
    conn: Connection | None = None,
    *,
    reasons: Iterable[str] = (),
    topic: str | None = None,
    epoch: int | None = None,
    partition: int | None = None,
    offset: str | int | None = None,
    positions: str | None = None,
    start: str | None = None,
    end: str | None = None,
    time: refusals.Time = refusals.Time.BROKER,
    limit: int | None = None,
    names: tuple[str, str] = ("From", "To"),
) -> refusals.Selection:
    """Return which refused messages are meant.

    :param conn: a session that is open; by default one is opened where it is needed
    :param offset: ``160``, or ``160, 170..180``
    :param positions: ``orders/0/2: 160, 170..180; orders/0/3: 7``, which are topic,
        epoch and partition before the offsets
    :param names: the names of start and end in the request
    :raises RequestError: if there is no such reason or log, or the times make no sense
    """
    for reason in reasons:
        check_known("reason", reason, load_reasons())
    for what, number in (("epoch", epoch), ("partition", partition)):
        if number is not None and not 0 <= number <= _MOST_NUMBER:
            message = f"There is no {what} {number}."
            raise RequestError(message)
    found = _positions(positions or "")
    if found or topic or epoch is not None or partition is not None:
        logs = _known_logs(settings, conn)
        _check_log(logs, settings, topic, epoch, partition)
        for log in found:
            check_known("log", _name(log), map(_name, logs))
    since = moment(start, names[0]) if start else None
    to = moment(end, names[1]) if end else None
    if since and to:
        _check_order(since, to, names)
    return refusals.Selection(
        reasons=tuple(reasons),
        topic=topic or None,
        epoch=epoch,
        partition=partition,
        offsets=() if offset is None or offset == "" else _offsets(str(offset)),
        positions=tuple(found.items()),
        start=since,
        end=to,
        time=time,
        limit=limit,
    )


def _check_order(start: datetime, end: datetime, names: tuple[str, str]) -> None:
    if start >= end:
        message = (
            f"{names[0]}, {start:%F %T} UTC, is not before {names[1]}, {end:%F %T} UTC."
        )
        raise RequestError(message)


def _known_logs(settings: Settings, conn: Connection | None) -> list[FeedPartition]:
    """Return the logs that messages came from, those of former topics too."""
    with nullcontext(conn) if conn else connect(settings) as session:
        return [
            FeedPartition(*row)
            for row in session.execute(
                "SELECT topic, epoch, kafka_partition FROM ops.watermarks"
                " WHERE stage = ANY(%s) ORDER BY topic, epoch, kafka_partition",
                ([area.drain for area in catalog.areas(settings)],),
            )
        ]


def _check_log(
    logs: list[FeedPartition],
    settings: Settings,
    topic: str | None,
    epoch: int | None,
    partition: int | None,
) -> None:
    """Refuse a log that no message ever came from."""
    if topic:
        known = {*catalog.all_topics(settings), *(log.topic for log in logs)}
        if topic not in known:
            catalog.refuse_errors(settings)  # it may be of one that can't be read
        check_known("topic", topic, sorted(known))
        logs = [log for log in logs if log.topic == topic]
    if epoch is not None:
        check_known("epoch", epoch, sorted({log.epoch for log in logs}))
        logs = [log for log in logs if log.epoch == epoch]
    if partition is not None:
        check_known("partition", partition, sorted({log.partition for log in logs}))


def _positions(text: str) -> dict[FeedPartition, refusals.Offsets]:
    """Return the offsets of each log in a text; a log may stand there several times."""
    found: dict[FeedPartition, refusals.Offsets] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        match = _POSITIONS.fullmatch(part)
        if not match or max(int(match[2]), int(match[3])) > _MOST_NUMBER:
            message = (
                f"{part!r} is no position. Write topic/epoch/partition and the offsets "
                "there, such as orders/0/2: 160, 170..180; several are parted by"
                " semicolons."
            )
            raise RequestError(message)
        log = FeedPartition(match[1], int(match[2]), int(match[3]))
        found[log] = (*found.get(log, ()), *_offsets(match[4]))
    if text.strip() and not found:
        message = f"{text!r} names no position."
        raise RequestError(message)
    return found


def _name(log: FeedPartition) -> str:
    return f"{log.topic}/{log.epoch}/{log.partition}"


def _offsets(text: str) -> refusals.Offsets:
    found = []
    for part in text.split(","):
        match = _OFFSETS.fullmatch(part.strip())
        low = int(match[1]) if match else -1
        high = int(match[2] or low) if match else -1
        if not 0 <= low <= high <= _MOST_OFFSET:
            message = (
                f"{part.strip()!r} is no offset. Write one such as 160, or several such"
                " as 160, 170..180, where both ends are meant."
            )
            raise RequestError(message)
        found.append((low, high))
    return tuple(found)
