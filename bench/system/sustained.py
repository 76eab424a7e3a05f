"""Whether the running Airflow keeps up with a steady load: lag, and the marts' age."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from multiprocessing import get_context

from confluent_kafka import Producer
from rich.progress import Progress

from bench import orders
from bench.pipeline import check
from bench.samples import Samples
from bench.services import RAW_TOPIC, Services, console, now
from bench.system.latency import DATABASE, load_history
from palate.database import connect
from palate.reads.status import status
from palate.settings import Settings

# The marts must never be further behind than this.
PROMISE_SECONDS = 60

_LOOK_SECONDS = 2
_SECONDS_TO_CATCH_UP = 900
# What each stage did meanwhile; a commit ends where the next one of its run begins.
_STAGES = (
    "SELECT r.stage, count(DISTINCT r.stage_run_id),"
    " sum(extract(epoch FROM r.finished_dt - r.started_dt)),"
    " (SELECT count(*) FROM ops.batches AS b WHERE b.stage = r.stage"
    "   AND b.load_dt BETWEEN %(start)s AND %(end)s),"
    " (SELECT sum(g.to_offset - g.from_offset) FROM ops.batches AS b"
    "   INNER JOIN ops.batch_ranges AS g USING (batch_id)"
    "   WHERE b.stage = r.stage AND g.topic = %(topic)s"
    "   AND b.load_dt BETWEEN %(start)s AND %(end)s)"
    " FROM ops.stage_runs AS r WHERE r.started_dt BETWEEN %(start)s AND %(end)s"
    " AND r.outcome IN ('done', 'nothing') GROUP BY r.stage ORDER BY 3 DESC"
)


@dataclass
class Observation:
    """The pipeline at one moment: messages and seconds behind."""

    seconds: float
    lag: int
    behind: float


@dataclass(frozen=True)
class StageWork:
    """What one stage did: runs, their seconds, commits, and the messages in them."""

    stage: str
    runs: int
    seconds: float
    commits: int
    messages: int


@dataclass
class Sustained:
    """A steady load, and its effect."""

    rate: float
    minutes: float
    sent: int = 0
    seconds: float = 0
    catching_up: float = 0
    observations: list[Observation] = field(default_factory=list)
    stages: list[StageWork] = field(default_factory=list)

    @property
    def under_load(self) -> list[Observation]:
        """Return what was seen while messages were sent."""
        return [one for one in self.observations if one.seconds <= self.seconds]

    @property
    def is_kept(self) -> bool:
        """Return whether the marts always met the freshness target."""
        return all(one.behind <= PROMISE_SECONDS for one in self.observations)

    @property
    def is_bounded(self) -> bool:
        """Return whether the lag stopped growing in the last third."""
        _, second, last = (
            Samples([float(one.lag) for one in observations])
            for observations in self.thirds()
        )
        return last.median <= max(1.2 * second.median, 10 * self.rate)

    def thirds(self) -> list[list[Observation]]:
        """Return the observations of each third of the sending time."""
        observations = self.under_load
        ends = [len(observations) * number // 3 for number in range(4)]
        return [observations[start:end] for start, end in pairwise(ends)]


def measure(services: Services, *, rate: float, minutes: float) -> Sustained:
    """Send at a rate to a loaded warehouse; observe what an operator would see.

    A producer in a process of its own sends what is due every 50 ms, whether or not the
    pipeline keeps up. It ends when all has been counted.

    :raises RuntimeError: if the rest is not counted in the end, or the marts are wrong
    """
    console.print("Starting Airflow ...")
    services.stack.up_airflow()
    settings = services.settings(DATABASE)
    result = Sustained(rate, minutes)
    with Progress(console=console) as progress:
        with connect(settings) as conn:
            load_history(services, conn, progress)
        first = _next_message(settings)
        count = int(rate * minutes * 60)
        services.fill_dictionary(first + count)
        sender = get_context("spawn").Process(
            target=_send, args=(settings.kafka_bootstrap, first, count, rate)
        )
        task = progress.add_task("Sent and counted", total=count)
        begin, start = now(), time.monotonic()
        sender.start()
        try:
            _watch(settings, result, start, sender.is_alive)
            result.sent, result.seconds = count, time.monotonic() - start
            if sender.exitcode:
                raise RuntimeError("The producer has failed; its error stands above.")
            end = now()
            while result.observations[-1].lag:
                progress.update(
                    task, completed=max(count - result.observations[-1].lag, 0)
                )
                _watch(settings, result, start, _once())
                result.catching_up = time.monotonic() - start - result.seconds
                if result.catching_up > _SECONDS_TO_CATCH_UP:
                    raise RuntimeError(
                        f"Not counted: {result.observations[-1].lag} messages."
                    )
        finally:
            sender.kill()
            sender.join()
        progress.update(task, completed=count)
    result.stages = _work(settings, begin, end)
    check(settings)
    return result


def show(found: Sustained) -> None:
    """Print how far behind it was, and where the time went."""
    print(
        f"{found.sent:,} messages in {found.seconds:.0f} s: "
        f"{found.sent / found.seconds:,.0f} a second ({found.rate:g} were asked for); "
        f"the last one was counted {found.catching_up:.0f} s later"
    )
    print("third   lag: median, most   seconds behind: median, most")
    for number, observations in enumerate(found.thirds(), 1):
        lag = Samples([float(one.lag) for one in observations])
        behind = Samples([one.behind for one in observations])
        print(
            f"{number:>5}   {lag.median:>10,.0f} {max(lag.values):>10,.0f}"
            f"   {behind.median:>12.1f} {max(behind.values):>8.1f}"
        )
    print("stage   runs   seconds in them   commits   messages a commit")
    for one in found.stages:
        each = one.messages / one.commits if one.commits else 0
        print(
            f"{one.stage}   {one.runs}   {one.seconds:.1f}   {one.commits}"
            f"   {each:,.0f}"
        )
    print(
        f"Never more than {PROMISE_SECONDS} s behind: "
        f"{'yes' if found.is_kept else 'no'}; "
        f"lag bounded: {'yes' if found.is_bounded else 'no'}"
    )


def _watch(
    settings: Settings, result: Sustained, start: float, goes_on: Callable[[], bool]
) -> None:
    while goes_on():
        logs = [one for one in status(settings).logs if one.topic == RAW_TOPIC]
        ages = [one.oldest_waiting_seconds or 0 for one in logs]
        lag = sum(one.lag for one in logs)
        result.observations.append(
            Observation(time.monotonic() - start, lag, max(ages))
        )
        time.sleep(_LOOK_SECONDS)


def _once() -> Callable[[], bool]:
    turns = iter([True])
    return lambda: next(turns, False)


def _next_message(settings: Settings) -> int:
    """Return the number of the message after those on the topic."""
    logs = [one for one in status(settings).logs if one.topic == RAW_TOPIC]
    return sum(one.end_offset or 0 for one in logs)


def _send(bootstrap: str, first: int, count: int, rate: float) -> None:
    """Send messages at a rate: every 50 ms what is due by then."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 20, "acks": "all"}
    )
    start, sent = time.monotonic(), 0
    while sent < count:
        due = min(int((time.monotonic() - start) * rate), count)
        for number in range(first + sent, first + due):
            partition, _ = orders.position(number)
            producer.produce(RAW_TOPIC, orders.message(number), partition=partition)
        sent = due
        producer.poll(0)
        time.sleep(0.05)
    if producer.flush(60):
        raise RuntimeError("The broker has not taken all messages.")


def _work(settings: Settings, begin: datetime, end: datetime) -> list[StageWork]:
    values = {"start": begin, "end": end, "topic": RAW_TOPIC}
    with connect(settings) as conn:
        rows = conn.execute(_STAGES, values).fetchall()
    return [
        StageWork(stage, runs, float(seconds or 0), commits, int(messages or 0))
        for stage, runs, seconds, commits, messages in rows
    ]
