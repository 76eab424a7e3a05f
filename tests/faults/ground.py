"""One warehouse under test: what is sent to it, its workers, what became of it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import psutil
import psycopg
import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from palate.engine.outcome import Caller
from palate.errors import PalateError
from palate.publish import stage as publish
from palate.settings import Settings
from tests.faults import worker
from tests.faults.check import check
from tests.faults.harm import is_asleep, wait_for
from tests.faults.points import Trip
from tests.faults.traffic import Traffic
from tests.faults.verdict import Verdict
from tests.faults.worker import STAGES, Job
from tests.integration.staged import set_rules
from tests.model.history import Entry, Form, History, Message, Rule
from tests.warehouses import environment_of

_SETTLING_ROUNDS = 8
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Ground:
    """A warehouse, two topics and a Redis, and the truth about what went in.

    :param folder: for the workers' logs
    :param settings: of the workers; the ground's own runs wait longer for locks
    :param epochs: what the next messages of a topic, or one partition, belong to
    """

    settings: Settings
    folder: Path
    traffic: Traffic = field(default_factory=lambda: Traffic(1))
    messages: list[Message] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    epochs: dict[str | tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self._guests = count(1)
        self._futures: list[tuple[Any, Message]] = []
        self._workers: list[BaseProcess] = []
        self._producer: KafkaProducer | None = None
        self.random = random.Random(1)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.edit_rules()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_workers()
        if self._producer:
            with suppress(KafkaError):
                self._producer.close(timeout=2)

    # --- what goes in ---

    @property
    def topics(self) -> dict[str, Form]:
        """The topics, each with its form."""
        return {name: Form(form) for name, form in self.settings.palate_topics.items()}

    @property
    def producer(self) -> KafkaProducer:
        """A client that sends each message once, also across a broker's restart."""
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self.settings.kafka_bootstrap,
                linger_ms=0,
                acks="all",
                enable_idempotence=True,
                max_request_size=32 * 2**20,
            )
        return self._producer

    def new_producer(self) -> None:
        """Forget the client, which knows a topic as it was."""
        if self._producer:
            self._producer.close(timeout=5)
        self._producer = None

    def send(
        self,
        topic: str,
        value: bytes | None,
        partition: int = 0,
        key: bytes | None = None,
        headers: tuple[tuple[str, bytes | None], ...] = (),
        producer: KafkaProducer | None = None,
    ) -> Any:
        """Send one message; it counts once ``flush`` has its position."""
        if value is None and key is None:
            key = b"null"  # the client sends nothing that is neither key nor value
        stamp = int(time.time() * 1000)
        future = (producer or self.producer).send(
            topic,
            value,
            key=key,
            headers=list(headers),
            partition=partition,
            timestamp_ms=stamp,
        )
        broker_dt = _EPOCH_START + timedelta(milliseconds=stamp)
        epoch = self.epochs.get((topic, partition), self.epochs.get(topic, 0))
        message = Message(topic, epoch, partition, -1, broker_dt, value, headers)
        self._futures.append((future, message))
        return future

    def flush(self) -> None:
        """Wait for the positions of what was sent, and remember them."""
        self.producer.flush(60)
        for future, message in self._futures:
            offset = future.get(60).offset
            self.messages.append(replace(message, offset=offset))
        self._futures.clear()

    def send_traffic(self, number: int, partitions: int = 2) -> None:
        """Send some messages on both topics, and put an entry for each fifth."""
        for index in range(number):
            topic = self.traffic.random.choice(list(self.topics))
            partition = self.traffic.random.randrange(partitions)
            self.send(topic, self.traffic.value(self.topics[topic]), partition)
            if index % 5 == 0:
                self.put(self.traffic.entry())
        self.flush()

    def stir(self) -> None:
        """Send so much that each stage has something to do in each of its logs."""
        for topic, form in self.topics.items():
            for partition in (0, 1):
                for _ in range(4):
                    self.send(topic, self.traffic.value(form), partition)
                value, entry = self.traffic.newcomer(form, f"n{next(self._guests)}")
                self.send(topic, value, partition)
                self.put(entry)
        self.put(self.traffic.entry())
        self.edit_rules()
        self.flush()

    def edit_rules(self) -> None:
        """Let the rules for tags be others, as a person would by SQL."""
        with self.connect() as conn:
            set_rules(conn, self.traffic.rules())

    def put(self, entry: Entry) -> None:
        """Put an entry into Redis."""
        with self.redis() as client:
            client.set(entry.id, entry.value)
        self.entries.append(entry)

    def redis(self) -> "redis.Redis":
        """Connect to Redis."""
        return redis.Redis.from_url(self.settings.redis_url.get_secret_value())

    @contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        """Connect to the broker for changing topics."""
        client = KafkaAdminClient(bootstrap_servers=self.settings.kafka_bootstrap)
        try:
            yield client
        finally:
            client.close()

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection]:
        """Connect to the warehouse, in autocommit mode."""
        dsn = self.settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True) as conn:
            yield conn

    def read_back(self, topic: str) -> None:
        """Take what a plain consumer reads for the truth about a topic.

        For topics of which the broker removes messages itself.
        """
        epoch = self.epochs.get(topic, 0)
        self.messages = [
            m for m in self.messages if (m.topic, m.epoch) != (topic, epoch)
        ]
        consumer = KafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap,
            group_id=None,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            numbers = consumer.partitions_for_topic(topic) or set()
            partitions = [TopicPartition(topic, number) for number in numbers]
            consumer.assign(partitions)
            consumer.seek_to_beginning()
            ends = consumer.end_offsets(partitions)
            while any(consumer.position(tp) < end for tp, end in ends.items()):
                for records in consumer.poll(timeout_ms=200).values():
                    self.messages += [
                        Message(
                            topic,
                            epoch,
                            record.partition,
                            record.offset,
                            _EPOCH_START + timedelta(milliseconds=record.timestamp),
                            record.value,
                            tuple(record.headers),
                        )
                        for record in records
                    ]
        finally:
            consumer.close()

    @property
    def history(self) -> History:
        """What went in, for the model; entries as they were staged, rules as now."""
        with self.connect() as conn:
            rows = conn.execute(
                "SELECT id, entry::text FROM stg.dictionary_entries"
                " ORDER BY kafka_offset"
            ).fetchall()
            rules = conn.execute(
                "SELECT kind, name, threshold, tag, active FROM cdm.tag_rules"
            ).fetchall()
        staged = tuple(Entry(id, text.encode()) for id, text in rows)
        ruled = tuple(Rule(*row) for row in rules)
        return History(tuple(self.messages), staged, self.topics, ruled)

    # --- workers ---

    def start(self, **job: Any) -> tuple[BaseProcess, Job]:
        """Start a worker; ``job`` has the fields of a ``Job``."""
        values = {
            name: getattr(value, "get_secret_value", lambda value=value: value)()
            for name, value in self.settings
        }
        made = Job(f"w{next(self._numbers)}", self.folder, values, **job)
        process = worker.start(made)
        self._workers.append(process)
        return process, made

    def run(self, seconds: float = 60, **job: Any) -> tuple[int, Job]:
        """Run a worker to its end; return its exit code.

        That is 0, 1 if a stage failed with an error that the engine explains, or -9.

        :raises TimeoutError: if it takes longer
        :raises RuntimeError: if it ended by any other error
        """
        process, made = self.start(**job)
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{made.name} took more than {seconds:g} s: {made.log}")
        worker.refuse_crash(process.exitcode, made)
        return process.exitcode, made

    def try_run(self, seconds: float = 60, **job: Any) -> int:
        """Run a worker to its end, whatever it ends by; return the exit code."""
        process, _ = self.start(**job)
        process.join(seconds)
        return process.exitcode if process.exitcode is not None else 1

    def palate(self, *words: str) -> int:
        """Call the command ``palate`` as a person does; return its exit code."""
        command = [str(Path(sys.executable).with_name("palate")), *words]
        values = environment_of(self.settings)
        return subprocess.run(command, env={**os.environ, **values}).returncode

    def run_interrupted(
        self,
        trip: Trip,
        act: Callable[[], object],
        *,
        may_end_before: bool = False,
        **job: Any,
    ) -> tuple[int, Job]:
        """Put a worker to sleep at a point, act, wake it; return what ``run`` does.

        :param may_end_before: it may also end without reaching the point
        """
        sleeper, made = self.start(trip=replace(trip, stop=True), **job)
        # One that has ended has no process any more.
        wait_for(lambda: is_asleep(sleeper) or not sleeper.is_alive())
        if is_asleep(sleeper):
            act()
            psutil.Process(sleeper.pid).resume()
        elif not may_end_before:
            raise RuntimeError(f"{made.name} came to no such point: {made.log}")
        sleeper.join(60)
        if sleeper.exitcode is None:
            raise TimeoutError(f"{made.name} sleeps on: {made.log}")
        worker.refuse_crash(sleeper.exitcode, made)
        return sleeper.exitcode, made

    def kill_workers(self) -> None:
        """End what still runs, as ``kill -9`` does."""
        for process in self._workers:
            if process.is_alive():
                process.kill()
            process.join(10)

    def points(self, **job: Any) -> list[str]:
        """Run a worker to its end; return the names of the points it reached."""
        _, made = self.run(**job)
        return made.trace.read_text().splitlines()

    def statements(self, stages: tuple[str, ...]) -> list[str]:
        """Name every statement that a run in an ordinary moment has."""
        self.stir()
        self.run()
        self.stir()
        if "drain" not in stages:
            self.run(stages=("drain",))
        return self.points(stages=stages)

    def run_killed(self, trip: Trip, **job: Any) -> bool:
        """Run a worker that is to be killed; tell whether it came to that."""
        code, _ = self.run(trip=trip, **job)
        return code == -signal.SIGKILL

    def storm(self, workers: int, kills: int, trickle: int = 3, **job: Any) -> None:
        """Keep some workers on the same stages, and kill one at random times."""
        job = {"passes": worker.ENDLESS, **job}
        alive = [self.start(**job)[0] for _ in range(workers)]
        for _ in range(kills):
            self.send_traffic(trickle)
            self.edit_rules()
            time.sleep(self.random.uniform(0.02, 0.8))
            index = self.random.randrange(workers)
            alive[index].kill()
            alive[index].join(10)
            alive[index] = self.start(**job)[0]
        for process in alive:
            process.kill()
            process.join(10)

    def publish_again(self) -> None:
        """Do what an operator does whose Redis has lost its keys."""
        publish.again(self.settings, Caller("faults", f"{uuid4()}", "publish"))

    # --- what became of it ---

    def settle(self) -> None:
        """Run all stages, by the engine as it is, until nothing is left to do."""
        patience = {"palate_lock_wait": 30.0, "palate_kafka_timeout": 15.0}
        settings = self.settings.model_copy(update=patience)
        for number in range(_SETTLING_ROUNDS):
            done = 0
            for stage in (*STAGES[:3], "sync", *STAGES[3:]):
                run_id = f"settle-{os.getpid()}-{number}-{time.monotonic_ns()}"
                done += worker.run_stage(settings, stage, run_id).batches
            if not done:
                return
        raise PalateError(f"Work is left after {_SETTLING_ROUNDS} rounds.")

    def verdict(self) -> Verdict:
        """Settle, and say what was lost, doubled or wrong."""
        try:
            self.settle()
        except (PalateError, psycopg.Error) as error:
            verdict = self.look()
            verdict.wrong += 1
            verdict.notes.insert(0, f"stuck: {type(error).__name__}: {error}")
            return verdict
        return self.look()

    def look(self) -> Verdict:
        """Say the same of the warehouse as it is."""
        with self.connect() as conn:
            return check(conn, self.settings, self.history, tuple(self.entries))
