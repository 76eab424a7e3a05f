"""What it costs when the tags of many guests change at once, and to publish them.

One rule is switched on and off: each time every guest gets, or loses, a tag. The bare
loop sends the very messages to a topic of its own, by a producer that waits for every
replica and does nothing else.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator

from confluent_kafka import KafkaError, Message, Producer
from rich.table import Table

from bench.broker import make_topic
from bench.samples import Samples
from bench.services import Services, console
from palate.database import Connection, connect
from palate.engine.outcome import Caller
from palate.names import HUB_KEY_NAMESPACE
from palate.outbox.tag_states import State
from palate.publish import stage as publish
from palate.settings import Settings
from palate.tags import stage as tags

BARE = "bare producer loop"
_DATABASE = "bench_publish"
_STAGES = (tags.STAGE, publish.TAGS_TO_KAFKA, publish.TAGS_TO_REDIS)


def measure(services: Services, *, guests: int, repetitions: int) -> dict[str, Samples]:
    """Return the seconds of each stage, and of the bare loop, for all guests at once.

    :raises RuntimeError: if not every guest's state went out
    """
    services.fresh_warehouse(_DATABASE)
    topic = f"bench_tags_{time.time_ns()}"
    settings = services.settings(_DATABASE).model_copy(
        update={"palate_tags_topic": topic}
    )
    found: dict[str, Samples] = defaultdict(Samples)
    with connect(settings) as conn:
        _fill(conn, guests)
        make_topic(settings.kafka_bootstrap, f"{topic}_bare")
        # The first time creates topics, and is no sample.
        for number in range(repetitions + 1):
            seconds = _change(settings, conn, guests, is_on=number % 2 == 0)
            seconds[BARE] = _send_bare(settings, conn, f"{topic}_bare")
            if number:
                for name, one in seconds.items():
                    found[name].values.append(one)
    services.drop_database(_DATABASE)
    return found


def show(found: dict[str, Samples], guests: int) -> None:
    """Print the seconds, the rate, and each as a multiple of the bare loop."""
    table = Table("what", "seconds", "least to greatest", "guests a second", "x bare")
    for name, samples in found.items():
        pairs = zip(samples.values, found[BARE].values, strict=True)
        ratio = Samples([one / bare for one, bare in pairs]).median
        table.add_row(
            name,
            f"{samples.median:.2f}",
            f"{min(samples.values):.2f} to {max(samples.values):.2f}",
            f"{guests / samples.median:,.0f}",
            f"{ratio:.2f}",
        )
    console.print(table)


def _fill(conn: Connection, guests: int) -> None:
    """Give each guest nine orders of one category, and a rule that requires them."""
    values = {"namespace": HUB_KEY_NAMESPACE, "guests": guests}
    conn.execute(
        "INSERT INTO dds.h_category (h_category_pk, category_name, load_dt, load_src)"
        " VALUES (uuid_generate_v5(%(namespace)s, 'Пицца'), 'Пицца', now(), 'bench')",
        values,
    )
    conn.execute(
        "INSERT INTO dds.h_user (h_user_pk, user_id, load_dt, load_src)"
        " SELECT uuid_generate_v5(%(namespace)s, id), id, now(), 'bench' FROM (SELECT"
        " lpad(to_hex(n), 24, '0') AS id FROM generate_series(1, %(guests)s) AS n) AS g"
        " ORDER BY 1",
        values,
    )
    conn.execute(
        "INSERT INTO cdm.user_category_counters (user_id, category_id, category_name,"
        " order_cnt, pieces_cnt, amount) SELECT h_user_pk, uuid_generate_v5("
        "%(namespace)s, 'Пицца'), 'Пицца', 9, 9, 900 FROM dds.h_user ORDER BY 1",
        values,
    )
    conn.execute(
        "INSERT INTO cdm.tag_rules (kind, name, threshold, tag, active)"
        " VALUES ('category', 'Пицца', 9, 'Любитель пиццы', FALSE)"
    )
    conn.execute("ANALYZE")


def _change(
    settings: Settings, conn: Connection, guests: int, *, is_on: bool
) -> dict[str, float]:
    conn.execute("UPDATE cdm.tag_rules SET active = %s", (is_on,))
    caller = Caller.in_shell("bench")
    tags.run(settings, caller)
    outcome = publish.run(settings, caller)
    if outcome.counts != {"tags_sent": guests, "tags_written": guests}:
        message = f"Of {guests} guests' states {dict(outcome.counts)} went out."
        raise RuntimeError(message)
    rows = conn.execute(
        "SELECT stage, extract(EPOCH FROM sum(finished_dt - started_dt))::float8"
        " FROM ops.stage_runs WHERE run_id = %s AND stage = ANY(%s) GROUP BY stage",
        (caller.run_id, list(_STAGES)),
    ).fetchall()
    return {stage: dict(rows)[stage] for stage in _STAGES}


def _send_bare(settings: Settings, conn: Connection, topic: str) -> float:
    messages = list(_messages(conn))
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "linger.ms": 5,
            "acks": "all",
            "partitioner": "murmur2_random",
        }
    )
    lost: list[KafkaError] = []
    producer.list_topics(topic, timeout=10)
    delivered = _noting(lost)
    start = time.perf_counter()
    for key, value in messages:
        while True:
            try:
                producer.produce(topic, value, key, on_delivery=delivered)
            except BufferError:
                producer.poll(0.1)
            else:
                break
        producer.poll(0)
    left = producer.flush(60)
    seconds = time.perf_counter() - start
    if left or lost:
        raise RuntimeError(f"The broker has not taken all messages of {topic}.")
    return seconds


def _noting(lost: list[KafkaError]) -> Callable[[KafkaError | None, Message], None]:
    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            lost.append(error)

    return delivered


def _messages(conn: Connection) -> Iterator[tuple[str, bytes]]:
    """Yield messages like those that were published, one per guest."""
    rows = conn.execute(
        "SELECT u.user_id, to_char(t.since_dt, 'YYYY-MM-DD HH24:MI:SS')"
        " FROM dds.h_user AS u LEFT JOIN cdm.user_tags AS t"
        " ON u.h_user_pk = t.user_id AND t.until_dt IS NULL ORDER BY 1"
    ).fetchall()
    for guest_id, since in rows:
        held = (("Любитель пиццы", since),) if since else ()
        yield guest_id, State(guest_id, time.time_ns() // 1000, held).as_message()
