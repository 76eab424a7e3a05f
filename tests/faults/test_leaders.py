"""A broker is down whose partitions have no other: they stand, all others go on."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from kafka.admin import KafkaAdminClient

from deploy.local.stack import Stack
from tests.faults.conftest import MakeGround
from tests.faults.ground import Ground
from tests.faults.second_broker import second_broker
from tests.faults.table import Results
from tests.integration.shells import shell_of


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_partition_without_a_leader(
    make_lasting_ground: MakeGround, services: Stack, tmp_path: Path, results: Results
) -> None:
    """Each topic has one partition on each broker, that of the tags is on the first."""
    tags = f"tags_{uuid4()}"
    admin = KafkaAdminClient(bootstrap_servers=services.env()["KAFKA_BOOTSTRAP"])
    admin.create_topics({tags: {"num_partitions": 1, "replication_factor": 1}})
    admin.close()
    with (
        second_broker(services, tmp_path / "second") as broker,
        make_lasting_ground(palate_tags_topic=tags) as ground,
    ):
        shell = shell_of(ground.settings)
        shell.env["PALATE_TAGS_TOPIC"] = tags
        without = {topic: broker.led_by_it(topic) for topic in ground.topics}
        assert [len(found) for found in without.values()] == [1, 1]
        ground.send_traffic(20)
        assert shell.palate("run").returncode == 0
        broker.stop()
        _send_to_others(ground, without)

        done = shell.palate("run")

        assert done.returncode == 3
        names = [f"{topic}[{found[0]}]" for topic, found in without.items()]
        for name in names:
            assert f"{name} has no leader" in done.stderr
        shown = json.loads(shell.palate("status", "--json").stdout)
        for log in shown["logs"]:
            if log["partition"] in without.get(log["topic"], ()):
                assert log["end_offset"] is None
            elif log["topic"] in without:
                assert log["end_offset"] == log["staged"] == log["loaded"]
                assert log["lag"] == 0
        results.add(
            "a broker down: its partitions stand, others are loaded", 2, ground.look()
        )

        broker.start()
        ground.new_producer()
        ground.send_traffic(20)
        results.add("the same after the broker is back", 1, ground.verdict())


def _send_to_others(ground: Ground, without: dict[str, list[int]]) -> None:
    ground.new_producer()
    for topic, partitions in without.items():
        for _ in range(5):
            value = ground.traffic.value(ground.topics[topic]) or b"x"
            ground.send(topic, value, 1 - partitions[0])
    ground.flush()
