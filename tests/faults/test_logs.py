"""What a broker does to its logs: it loses their ends, or is another one."""

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from deploy.local.stack import Stack
from tests.faults.conftest import MakeGround
from tests.faults.ground import Ground
from tests.faults.harm import (
    kafka_down,
    lose_all_below,
    lose_tail,
    spread,
    wait_until_gone,
)
from tests.faults.table import Results
from tests.model.history import Form

# So many messages of each partition are lost, and so many come in their place.
LOST = 3
REFILLED = {0: 0, 1: LOST - 1, 2: LOST, 3: LOST + 2}
PLACES = "nothing came, refilled below, at and beyond the watermark"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_log_loses_its_tail(
    make_breakable_ground: MakeGround, breakable: Stack, results: Results
) -> None:
    """Each partition in another way; one message after the other comes, with runs."""
    with make_breakable_ground(partitions=5) as ground:
        raw = _topic(ground, Form.RAW)
        starts = _staged_then_lost(ground, breakable, raw)
        before = list(ground.messages)
        for number in range(max(REFILLED.values())):
            for partition, count in REFILLED.items():
                if number < count:
                    _send(ground, raw, partition)
            _send(ground, raw, 4)
            code, made = ground.run()
            assert code == 1
            text = made.log.read_text()
            for partition, start in starts.items():
                said = f"{raw}[{partition}]: the broker has lost the log from offset"
                assert f"{said} {start} on" in text
        # Nothing of these is staged; the fifth partition is read on.
        refilled = [m for m in ground.messages if m.epoch]
        ground.messages = [m for m in ground.messages if not m.epoch]
        assert len(ground.messages) > len(before)
        fault = "log lost its tail: loud, nothing skipped, others read on"
        results.add(f"{fault} ({PLACES})", 4, ground.look())

        for partition in REFILLED:
            act = ["positions", "accept-lost-tail", raw, str(partition)]
            assert ground.palate(*act, "--by", "ada", "--reason", "a crash") == 0
        ground.messages += refilled
        ground.send_traffic(20, partitions=4)
        results.add("the same after `positions accept-lost-tail`", 4, ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_gap_of_500_million_offsets(
    make_breakable_ground: MakeGround, breakable: Stack, results: Results
) -> None:
    """Given up, it costs neither partitions of STG nor batches."""
    far = 500_000_000
    with make_breakable_ground() as ground:
        raw = _topic(ground, Form.RAW)
        _send(ground, raw, 0, 5)
        assert ground.run()[0] == 0
        with kafka_down(breakable):
            lose_all_below(breakable, raw, 0, far)
        ground.new_producer()
        assert ground.run()[0] == 1
        give_up = ["positions", "accept-gap", raw, "0", "--to", str(far)]
        assert ground.palate(*give_up, "--by", "ada", "--reason", "expired") == 0
        _send(ground, raw, 0, 5)

        results.add("500 million offsets given up", 1, ground.verdict())
        with ground.connect() as conn:
            rows = conn.execute(
                "SELECT (SELECT count(*) FROM ops.event_partitions WHERE topic = %s),"
                " (SELECT count(*) FROM ops.batches)",
                (raw,),
            ).fetchone() or (0, 0)
        assert rows[0] == 2
        assert rows[1] < 100


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_sparse_log(
    make_breakable_ground: MakeGround, breakable: Stack, results: Results
) -> None:
    """One record in 100,000 offsets, as compaction may leave them."""
    with make_breakable_ground(palate_stg_partition_positions=1_000) as ground:
        raw = _topic(ground, Form.RAW)
        for _ in range(60):
            _send(ground, raw, 0)
        with kafka_down(breakable):
            spread(breakable, raw, 0, 100_000)
        ground.read_back(raw)
        assert max(m.offset for m in ground.messages) == 5_900_000

        results.add("one record in 100,000 offsets", 60, ground.verdict())
        with ground.connect() as conn:
            (made,) = conn.execute(
                "SELECT count(*) FROM ops.event_partitions WHERE topic = %s", (raw,)
            ).fetchone() or (0,)
        assert made == 60


@pytest.mark.parametrize("what", ["partition", "epoch"])
def test_retention_before_the_first_drain(
    ground: Ground, results: Results, what: str
) -> None:
    """Of a partition that was added, and of a topic that was made anew."""
    raw = _topic(ground, Form.RAW)
    ground.send_traffic(10)
    assert ground.run()[0] == 0
    assert ground.verdict().is_clean
    before, partition = list(ground.messages), 0
    with ground.admin() as admin:
        if what == "partition":
            partition = 2
            admin.create_partitions({raw: 3})
        else:
            ground.epochs[raw] = 1
            admin.delete_topics([raw])
            wait_until_gone(admin, raw)
            admin.create_topics(
                {raw: {"num_partitions": 2, "replication_factor": 1}},
                wait_for_metadata=True,
            )
        ground.new_producer()
        _send(ground, raw, partition, 5)
        admin.delete_records({TopicPartition(raw, partition): 4})
    last = ground.messages[-1]
    code, made = ground.run()
    assert code == 1
    assert "offsets 0 to 3 are gone" in made.log.read_text()
    ground.messages = before
    fault = f"retention before the first drain of a new {what}"
    results.add(f"{fault}: loud, nothing skipped", 1, ground.look())

    act = ["positions", "accept-gap", raw, str(partition), "--to", "4"]
    assert ground.palate(*act, "--by", "ada", "--reason", "too late") == 0
    ground.messages = [*before, last]
    results.add(f"{fault}, given up", 1, ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_another_cluster_and_back(
    ground: Ground, other_cluster: str, results: Results
) -> None:
    """Refused, then accepted, then left again: everything is staged once."""
    topics = list(ground.topics)
    ground.send_traffic(20)
    assert ground.run()[0] == 0
    assert ground.verdict().is_clean
    home = ground.settings.kafka_bootstrap
    _go_to(ground, other_cluster, epoch=1)
    admin = KafkaAdminClient(bootstrap_servers=other_cluster)
    admin.create_topics(
        {name: {"num_partitions": 2, "replication_factor": 1} for name in topics},
        wait_for_metadata=True,
    )
    admin.close()
    before = list(ground.messages)
    for topic in topics:
        _send(ground, topic, 0, 5)
    for _ in range(2):
        code, made = ground.run(stages=("drain",))
        assert code == 1
        assert "on another cluster" in made.log.read_text()
    there, ground.messages = ground.messages, before
    _go_to(ground, home, epoch=0)
    results.add("a wrong cluster: loud, nothing staged", 2, ground.look())

    ground.messages = there
    _go_to(ground, other_cluster, epoch=1)
    for topic in topics:
        act = ["positions", "accept-cluster", topic, "--by", "ada", "--reason", "moved"]
        assert ground.palate(*act) == 0
    ground.publish_again()  # the other cluster's topic has nothing yet
    results.add("the same after `positions accept-cluster`", 1, ground.verdict())
    _go_to(ground, home, epoch=0)
    ground.send_traffic(20)
    assert ground.run()[0] == 0
    ground.publish_again()
    results.add("back to the first cluster", 1, ground.verdict())


def _staged_then_lost(ground: Ground, stack: Stack, topic: str) -> dict[int, int]:
    """Let all be staged, then the broker lose the ends; return where they begin."""
    for partition in (*REFILLED, 4):
        for _ in range(6):
            _send(ground, topic, partition)
    assert ground.run()[0] == 0
    assert ground.verdict().is_clean
    starts = dict.fromkeys(REFILLED, 6 - LOST)
    with kafka_down(stack):
        for partition, start in starts.items():
            lose_tail(stack, topic, partition, start)
    ground.new_producer()
    # Decided upon one after the other, each gets the next number.
    for number, partition in enumerate(REFILLED, 1):
        ground.epochs[topic, partition] = number
    return starts


def _go_to(ground: Ground, bootstrap: str, epoch: int) -> None:
    ground.new_producer()
    values = {"kafka_bootstrap": bootstrap}
    ground.settings = ground.settings.model_copy(update=values)
    ground.epochs = dict.fromkeys(ground.topics, epoch)


def _topic(ground: Ground, wanted: Form) -> str:
    return next(topic for topic, form in ground.topics.items() if form is wanted)


def _send(ground: Ground, topic: str, partition: int, number: int = 1) -> None:
    for _ in range(number):
        value = ground.traffic.value(ground.topics[topic]) or b"x"
        ground.send(topic, value, partition)
    ground.flush()
