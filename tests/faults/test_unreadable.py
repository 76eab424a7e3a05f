"""What the broker has and nobody can parse, or nobody may read yet."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kafka import KafkaProducer
from kafka.errors import KafkaError

from deploy.local.stack import Stack
from palate.reads.status import log_states
from tests.corpus.case import example
from tests.faults.ground import Ground
from tests.faults.table import Results
from tests.faults.worker import STAGES
from tests.integration.broker import RawName, change_on_disk
from tests.model.history import Form


def test_header_names_that_are_no_text(ground: Ground, results: Results) -> None:
    """They hold up nothing, and don't hide whose message it is."""
    raw = _raw(ground)
    odd = (RawName(b"trace\xff\xfe"), b"1"), ("nul\0", b"2")
    for partition in (0, 1):
        ground.send(raw, ground.traffic.value(Form.RAW) or b"x", partition, headers=odd)
        own = (*odd, ("palate-origin", b""))
        ground.send(raw, example(Form.RAW), partition, headers=own)
        ground.send(raw, ground.traffic.value(Form.RAW) or b"x", partition)
    ground.flush()

    results.add("header names that are not UTF-8, or have a NUL", 4, ground.verdict())


def test_byte_changed_on_disk(
    ground: Ground, services: Stack, results: Results
) -> None:
    """The partition stands there, the others go on; then a person gives it up."""
    raw = _raw(ground)
    ground.send_traffic(10)
    assert ground.run()[0] == 0
    lost = {"object_id": 7, "payload.extra": "to be changed on disk"}
    ground.send(raw, example(Form.RAW, lost))
    ground.flush()
    at = ground.messages.pop().offset
    held_up = _send(ground, raw, 5, partition=0)
    change_on_disk(
        services.var, raw, 0, b"to be changed on disk", b"was changed on disk!!"
    )
    _send(ground, raw, 5, partition=1)

    for number in range(2):
        code, made = ground.run()
        assert code == 1
        log = made.log.read_text()
        assert "UnreadableRecordError" in log
        assert f"{raw}[0]: offset {at} can't be read: the checksum" in log
        if not number:
            _send(ground, raw, 5, partition=1)
    rest, ground.messages = (
        ground.messages,
        [m for m in ground.messages if m not in held_up],
    )
    # A worker ends where a stage fails; an orchestrator goes on to the vault.
    assert ground.run(stages=STAGES[1:])[0] == 0
    results.add("byte changed on disk: loud, others go on", 2, ground.look())

    ground.messages = rest
    give_up = ["positions", "accept-gap", raw, "0", "--to", str(at + 1)]
    assert ground.palate(*give_up, "--by", "ada", "--reason", "a bad disk") == 0
    results.add("byte changed on disk, then given up", 1, ground.verdict())


def test_transaction_open_for_some_runs(ground: Ground, results: Results) -> None:
    """What is behind it waits and is seen to wait, and all comes when it ends."""
    raw = _raw(ground)
    for end in ("committed", "aborted"):
        with _transaction(ground, f"{raw}-{end}") as producer:
            _send(ground, raw, 5)
            for _ in range(3):
                assert ground.run()[0] == 0
            assert [
                log.lag
                for log in log_states(ground.settings)
                if log.open_transaction is not None
            ] == [6]
            if end == "committed":
                producer.commit_transaction()
            else:
                producer.abort_transaction()
        ground.read_back(raw)
        results.add(f"transaction open for three runs, {end}", 3, ground.verdict())


def test_transaction_that_hangs(ground: Ground, results: Results) -> None:
    """Its producer never ends it; nothing is lost when somebody else does."""
    raw = _raw(ground)
    with _transaction(ground, raw):
        _send(ground, raw, 5)
        assert ground.run()[0] == 0
        # What an operator's abort does: another producer of that name ends it.
        successor = _producer(ground, raw)
        successor.init_transactions()
        successor.close(timeout=5)
    ground.read_back(raw)

    results.add("transaction that hangs, aborted by an operator", 1, ground.verdict())


@contextmanager
def _transaction(ground: Ground, name: str) -> Iterator[KafkaProducer]:
    producer = _producer(ground, name)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(_raw(ground), example(Form.RAW), partition=0).get(10)
    yield producer
    with suppress(KafkaError):  # somebody else may have ended its transaction
        producer.close(timeout=5)


def _producer(ground: Ground, name: str) -> KafkaProducer:
    return KafkaProducer(
        bootstrap_servers=ground.settings.kafka_bootstrap, transactional_id=name
    )


def _raw(ground: Ground) -> str:
    return next(topic for topic, form in ground.topics.items() if form is Form.RAW)


def _send(ground: Ground, topic: str, number: int, partition: int = 0) -> list:
    for _ in range(number):
        value = ground.traffic.value(ground.topics[topic]) or b"x"
        ground.send(topic, value, partition)
    ground.flush()
    return ground.messages[-number:]
