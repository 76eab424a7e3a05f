"""The last hour and day of each log's lag and waiting, and where it is going."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from palate.database import Connection
from palate.monitoring import freshness
from palate.positions import FeedPartition
from palate.settings import Settings
from palate.sources import catalog

_MINUTE = timedelta(minutes=1)
_QUARTER = timedelta(minutes=15)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
# Rates are of so long: a batch more or less must not decide.
_RATE_OVER = timedelta(minutes=5)


@dataclass(frozen=True)
class Point:
    """The worst of the span that begins at ``at``; None where the watch saw nothing."""

    at: datetime
    lag: int | None = None
    waiting_seconds: float | None = None


@dataclass(frozen=True)
class LogTrend:
    """Where one log is going; rates are in messages per second, over five minutes.

    ``lag`` is as of ``looked_dt``. It and the rates are None unless the watch has seen
    the log lately. ``seconds_to_clear`` is when the lag is gone if both rates stay as
    they are: 0 without a lag, None while it does not shrink. ``hour`` has a point per
    minute, ``day`` one per quarter of an hour; the last point's span is not over.
    """

    area: str
    topic: str
    epoch: int
    partition: int
    looked_dt: datetime | None
    lag: int | None
    arriving: float | None
    loading: float | None
    seconds_to_clear: float | None
    hour: tuple[Point, ...]
    day: tuple[Point, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; times are ISO 8601 in UTC."""
        values = asdict(self)
        values["looked_dt"] = self.looked_dt and self.looked_dt.isoformat()
        for name in ("hour", "day"):
            values[name] = [
                point | {"at": point["at"].isoformat()} for point in values[name]
            ]
        return values


@dataclass(frozen=True)
class _Minute:
    """A row of ``ops.log_minutes``; the positions are as of ``looked_dt``."""

    minute_dt: datetime
    looked_dt: datetime
    newest: int
    in_marts: int
    lag: int
    waiting_seconds: float


def trends(conn: Connection, settings: Settings) -> tuple[LogTrend, ...]:
    """Return the trend of each log that the watch has seen within a day.

    Of the areas that are on, in their order.
    """
    areas = {
        topic: area.name
        for area in catalog.areas(settings)
        for topic in catalog.topics(settings, area)
    }
    (now,) = conn.execute("SELECT clock_timestamp()").fetchone() or (None,)
    minutes = _minutes(conn, now, list(areas))
    return tuple(
        _trend(areas[log.topic], log, now, minutes.get(log, []), quarters)
        for log, quarters in sorted(
            _quarters(conn, now, list(areas)).items(),
            key=lambda item: (list(areas).index(item[0].topic), item[0]),
        )
    )


def _trend(
    area: str,
    log: FeedPartition,
    now: datetime,
    minutes: list[_Minute],
    quarters: list[Point],
) -> LogTrend:
    last = minutes[-1] if minutes else None
    if last and now - last.looked_dt > timedelta(seconds=freshness.ASLEEP_SECONDS):
        last = None
    lag = arriving = loading = to_clear = None
    if last:
        lag = last.newest - last.in_marts
        first = next(
            one for one in minutes if last.looked_dt - one.looked_dt <= _RATE_OVER
        )
        seconds = (last.looked_dt - first.looked_dt).total_seconds()
        if seconds:
            # Positions go back where a log or a mart was made anew: that is no rate.
            arriving = max(last.newest - first.newest, 0) / seconds
            loading = max(last.in_marts - first.in_marts, 0) / seconds
        to_clear = _seconds_to_clear(lag, arriving, loading)
    points = [Point(one.minute_dt, one.lag, one.waiting_seconds) for one in minutes]
    return LogTrend(
        area=area,
        topic=log.topic,
        epoch=log.epoch,
        partition=log.partition,
        looked_dt=last.looked_dt if last else None,
        lag=lag,
        arriving=arriving,
        loading=loading,
        seconds_to_clear=to_clear,
        hour=_without_holes(points, _floor(now, _MINUTE) - _HOUR, _MINUTE, 60),
        day=_without_holes(quarters, _floor(now, _QUARTER) - _DAY, _QUARTER, 96),
    )


def _seconds_to_clear(
    lag: int, arriving: float | None, loading: float | None
) -> float | None:
    if lag <= 0:
        return 0.0
    if arriving is None or loading is None or loading <= arriving:
        return None
    return lag / (loading - arriving)


def _without_holes(
    found: Iterable[Point], begin: datetime, step: timedelta, number: int
) -> tuple[Point, ...]:
    """Return a point for each span, the last of which is under way."""
    by_time = {point.at: point for point in found}
    times = [begin + step * (index + 1) for index in range(number)]
    return tuple(by_time.get(at, Point(at)) for at in times)


def _floor(moment: datetime, step: timedelta) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // step * step


def _minutes(
    conn: Connection, now: datetime, topics: list[str]
) -> dict[FeedPartition, list[_Minute]]:
    """Return the rows of the last hour and a bit, by log, the oldest first."""
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition, minute_dt, looked_dt,"
        " greatest(end_offset, staged_offset), mart_offset, max_lag,"
        " max_waiting_seconds FROM ops.log_minutes"
        " WHERE minute_dt >= %s AND topic = ANY(%s)"
        " ORDER BY topic, epoch, kafka_partition, minute_dt",
        (_floor(now, _MINUTE) - _HOUR, topics),
    ).fetchall()
    return {
        FeedPartition(*log): [_Minute(*row[3:]) for row in found]
        for log, found in groupby(rows, key=lambda row: row[:3])
    }


def _quarters(
    conn: Connection, now: datetime, topics: list[str]
) -> dict[FeedPartition, list[Point]]:
    """Return the worst of each quarter of an hour of the last day, by log."""
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition,"
        " date_bin('15 minutes', minute_dt, timestamptz 'epoch') AS quarter_dt,"
        " max(max_lag), max(max_waiting_seconds) FROM ops.log_minutes"
        " WHERE minute_dt >= %s AND topic = ANY(%s)"
        " GROUP BY topic, epoch, kafka_partition, quarter_dt"
        " ORDER BY topic, epoch, kafka_partition, quarter_dt",
        (_floor(now, _QUARTER) - _DAY + _QUARTER, topics),
    ).fetchall()
    return {
        FeedPartition(*log): [Point(*row[3:]) for row in found]
        for log, found in groupby(rows, key=lambda row: row[:3])
    }
