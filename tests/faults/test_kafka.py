"""Kafka fails, or has things in its log that a simple topic has not."""

import re
import time

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from deploy.local.stack import Stack
from palate.clients.kafka_reader import open_reader
from palate.errors import PalateError
from tests.corpus.case import example
from tests.faults.conftest import MakeGround
from tests.faults.ground import Ground
from tests.faults.harm import kill, service, stopped, wait_until_gone
from tests.faults.table import Results
from tests.faults.worker import ENDLESS
from tests.model.history import Form


def test_retention_took_what_was_not_read(ground: Ground, results: Results) -> None:
    """It is loud and nothing is skipped, until an operator gives it up."""
    raw, _ = _topics(ground)
    ground.send_traffic(20)
    assert ground.run()[0] == 0
    assert ground.verdict().is_clean
    _send(ground, raw, 12)
    with ground.admin() as admin:
        end = max(m.offset for m in ground.messages if m.position[:3] == (raw, 0, 0))
        admin.delete_records({TopicPartition(raw, 0): end})

    for _ in range(2):
        code, made = ground.run()
        assert code == 1
        assert "PositionGapError" in made.log.read_text()
    # Nothing of it may be staged: what is there is what was there before.
    *read, last = ground.messages
    ground.messages = read[:20]
    results.add("retention before reading: loud, nothing skipped", 2, ground.look())

    give_up = ["positions", "accept-gap", raw, "0", "--to", str(end)]
    assert ground.palate(*give_up, "--by", "ada", "--reason", "no backup") == 0
    ground.messages.append(last)
    with ground.connect() as conn:
        rows = conn.execute(
            "SELECT topic, to_offset, accepted_by, accepted_why FROM ops.position_gaps"
        ).fetchall()
    assert rows == [(raw, end, "ada", "no backup")]
    results.add("the same after `positions accept-gap`", 1, ground.verdict())


@pytest.mark.parametrize(
    "longer",
    [
        pytest.param(False, id="shorter", marks=pytest.mark.slow),
        pytest.param(True, id="longer"),
    ],
)
def test_topic_made_anew(ground: Ground, results: Results, longer: bool) -> None:
    """A new topic id begins a new epoch, even if the new log is the longer one."""
    raw, _ = _topics(ground)
    ground.send_traffic(30)
    assert ground.run()[0] == 0
    with ground.admin() as admin:
        admin.delete_topics([raw])
        wait_until_gone(admin, raw)
        admin.create_topics(
            {raw: {"num_partitions": 2, "replication_factor": 1}},
            wait_for_metadata=True,
        )
    ground.epochs[raw] = 1
    ground.new_producer()
    _send(ground, raw, 60 if longer else 3)

    place = "longer" if longer else "shorter"
    results.add(f"topic deleted and made anew, {place}", 1, ground.verdict())


def test_partitions_added(ground: Ground, results: Results) -> None:
    raw, enriched = _topics(ground)
    ground.send_traffic(20)
    assert ground.run()[0] == 0
    with ground.admin() as admin:
        admin.create_partitions({raw: 4, enriched: 3})
    ground.new_producer()
    ground.send_traffic(40, partitions=3)

    results.add("partitions added", 1, ground.verdict())


def test_transactions(ground: Ground, results: Results) -> None:
    """What was aborted is invisible; the markers take offsets and aren't gaps."""
    raw, _ = _topics(ground)
    producer = KafkaProducer(
        bootstrap_servers=ground.settings.kafka_bootstrap,
        transactional_id=f"faults-{raw}",
    )
    try:
        producer.init_transactions()
        for number in range(6):
            producer.begin_transaction()
            for _ in range(3):
                value = ground.traffic.value(Form.RAW) or b"x"
                producer.send(raw, value, partition=number % 2)
            producer.flush(30)
            if number % 3 == 1:
                producer.abort_transaction()
            else:
                producer.commit_transaction()
            ground.run(stages=("drain",))
    finally:
        producer.close(timeout=5)
    ground.read_back(raw)

    assert len(ground.messages) == 12
    results.add("transactions, a third aborted", 6, ground.verdict())


@pytest.mark.parametrize(
    "codec",
    [
        "zstd",
        *[pytest.param(c, marks=pytest.mark.slow) for c in ("gzip", "snappy", "lz4")],
    ],
)
def test_codec(ground: Ground, results: Results, codec: str) -> None:
    raw, _ = _topics(ground)
    producer = KafkaProducer(
        bootstrap_servers=ground.settings.kafka_bootstrap,
        compression_type=codec,
        linger_ms=50,
    )
    try:
        for _ in range(20):
            ground.send(raw, ground.traffic.value(Form.RAW), producer=producer)
        producer.flush(30)
        ground.flush()
    finally:
        producer.close(timeout=5)

    results.add(f"codec {codec}", 1, ground.verdict())


def test_keys_headers_and_nulls(ground: Ground, results: Results) -> None:
    raw, _ = _topics(ground)
    headers = (("name", b"\x00\xff"), ("name", b""), ("ключ", b"1"))
    for key in (None, b"", b"\xff\x00"):
        ground.send(raw, ground.traffic.value(Form.RAW) or b"x", key=key)
        ground.send(raw, example(Form.RAW), key=key, headers=headers)
        ground.send(raw, example(Form.RAW), headers=(("palate-origin", b""),))
        ground.send(raw, None, key=b"k", headers=headers)
    ground.flush()

    results.add("keys, headers, null values", 12, ground.verdict())


@pytest.mark.parametrize(
    "size", [900_000, pytest.param(20 * 2**20, marks=pytest.mark.slow)]
)
def test_large_message(ground: Ground, results: Results, size: int) -> None:
    """Between small ones; and a chunk ends by its bytes before its count."""
    raw, _ = _topics(ground)
    with ground.admin() as admin:
        _configure(admin, raw, {"max.message.bytes": str(32 * 2**20)})
    ground.send_traffic(5)
    large = example(Form.RAW, {"object_id": 5, "payload.extra": "x" * size})
    broken = b'{"object_type": "order", "x": "' + b"y" * size
    # Together more than one fetch brings, or a chunk would end with the topic.
    number = max(3, 10 * 2**20 // size)
    for index in range(number):
        ground.send(raw, broken if index == 1 else large)
    ground.flush()
    ground.send_traffic(5)
    settings = {"palate_drain_bytes": size, "palate_kafka_timeout": 15.0}
    ground.settings = ground.settings.model_copy(update=settings)

    results.add(f"messages of {size / 1e6:.1f} MB", number, ground.verdict())
    with ground.connect() as conn:
        (batches,) = conn.execute(
            "SELECT count(*) FROM ops.batches WHERE stage = 'drain'"
        ).fetchone() or (0,)
    assert batches >= 2


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_compacted_topic(ground: Ground, results: Results) -> None:
    """The broker removes older messages of a key; offsets have gaps then."""
    raw, _ = _topics(ground)
    quick = {
        "cleanup.policy": "compact",
        "segment.ms": "500",
        "min.cleanable.dirty.ratio": "0.01",
        "delete.retention.ms": "100",
    }
    with ground.admin() as admin:
        _configure(admin, raw, quick)
    for _ in range(4):
        for number in range(20):
            key = str(number % 4).encode()
            ground.send(raw, ground.traffic.value(Form.RAW) or b"x", key=key)
        ground.flush()
        time.sleep(1)
    sent = len(ground.messages)
    deadline = time.monotonic() + 120
    while len(ground.messages) >= sent and time.monotonic() < deadline:
        time.sleep(5)
        ground.read_back(raw)

    assert len(ground.messages) < sent, "the broker compacted nothing"
    results.add("compacted topic", sent - len(ground.messages), ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_is_bounded_by_a_chunk(
    ground: Ground, services: Stack, results: Results
) -> None:
    """The peak does not follow the backlog: 300 MB more of it cost less than 100."""
    raw, _ = _topics(ground)
    settings = {"palate_drain_bytes": 8 * 2**20, "palate_kafka_timeout": 15.0}
    ground.settings = ground.settings.model_copy(update=settings)
    peaks = []
    for number in (100, 400):
        for order in range(number):
            large = {"object_id": order, "payload.extra": "x" * 1_000_000}
            ground.send(raw, example(Form.RAW, large), partition=order % 2)
        ground.flush()
        code, made = ground.run(stages=("drain",), seconds=300)
        assert code == 0
        peaks.append(int(re.findall(r"peak memory (\d+) MB", made.log.read_text())[-1]))

    assert peaks[1] < peaks[0] + 100
    print(f"Peak memory with 100 MB waiting: {peaks[0]} MB; with 400 MB: {peaks[1]} MB")
    fault = "backlog of 400 MB in chunks of 8 MB, memory bounded"
    results.add(fault, 1, ground.verdict())


@pytest.mark.parametrize("pulses", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_broker_is_slow(
    ground: Ground, services: Stack, results: Results, pulses: int
) -> None:
    """It stands still for most of the time, and answers in between."""
    for _ in range(2):
        ground.start(passes=ENDLESS)
    broker = service(services, "kafka")
    for _ in range(pulses):
        ground.send_traffic(2)
        with stopped(broker):
            time.sleep(0.3)
        time.sleep(0.1)
    ground.kill_workers()

    results.add("broker slow, in pulses", pulses, ground.verdict())


def test_broker_pauses(ground: Ground, services: Stack, results: Results) -> None:
    """It stands still for longer than a run waits for it."""
    ground.send_traffic(30)
    with stopped(service(services, "kafka")):
        code, made = ground.run(stages=("drain",))
    # It stood still for so long that its controller may have given it up.
    _wait_until_it_leads(ground)

    assert code == 1
    assert "ServiceUnavailableError" in made.log.read_text()
    results.add("broker paused", 1, ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_broker_killed(
    make_breakable_ground: MakeGround, breakable: Stack, results: Results
) -> None:
    with make_breakable_ground() as ground:
        for _ in range(2):
            ground.start(passes=ENDLESS, pause=0.05)
        for _ in range(4):
            ground.send_traffic(40)
            time.sleep(ground.random.uniform(0.1, 1))
            kill(breakable, "kafka")
            time.sleep(ground.random.uniform(0.1, 3))
            breakable.up_services()
        ground.kill_workers()

        results.add("broker killed and started", 4, ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_broker_down(
    make_breakable_ground: MakeGround, breakable: Stack, results: Results
) -> None:
    with make_breakable_ground() as ground:
        ground.send_traffic(20)
        breakable.supervisor.stop("kafka")
        code, made = ground.run()
        breakable.up_services()

        assert code == 1
        assert "ServiceUnavailableError" in made.log.read_text()
        results.add("broker down", 1, ground.verdict())


@retry(
    stop=stop_after_delay(60),
    wait=wait_fixed(0.1),
    retry=retry_if_exception_type(PalateError),
    reraise=True,
)
def _wait_until_it_leads(ground: Ground) -> None:
    with open_reader(ground.settings) as reader:
        for topic in _topics(ground):
            reader.state(topic)


def _topics(ground: Ground) -> tuple[str, str]:
    forms = {form: topic for topic, form in ground.topics.items()}
    return forms[Form.RAW], forms[Form.ENRICHED]


def _send(ground: Ground, topic: str, number: int) -> None:
    for _ in range(number):
        ground.send(topic, ground.traffic.value(ground.topics[topic]))
    ground.flush()


def _configure(admin: KafkaAdminClient, topic: str, values: dict[str, str]) -> None:
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, values)])
