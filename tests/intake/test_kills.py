"""Row 15 and 16: whoever dies when, a retry gives one import, one event, one object."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from kafka import KafkaConsumer, TopicPartition

from deploy.local.ports import Ports
from tests.e2e.airflow_api import until
from tests.intake.process import Intake, Partner
from tests.intake.victim import POINTS

# The long run says more: 50 gives hundreds of kills.
TIMES = int(os.environ.get("PALATE_TEST_KILLS", "1"))
# What is committed by then is known when it comes again.
_COMMITTED = POINTS[POINTS.index("after the commit") :]


class Topic:
    """What Kafka has of the events, beside the objects that there are."""

    def __init__(self, intake: Intake) -> None:
        self._objects = intake.objects
        self._consumer = KafkaConsumer(
            bootstrap_servers=intake.settings.kafka_bootstrap,
            isolation_level="read_committed",
        )
        partitions = [
            TopicPartition(topic, number)
            for topic in ("processedFile", "fileErrors")
            for number in range(3)
        ]
        self._consumer.assign(partitions)
        self._consumer.seek_to_end()
        for one in partitions:
            self._consumer.position(one)
        self.ids: Counter[str] = Counter()

    def read(self) -> None:
        for batch in self._consumer.poll(200).values():
            for message in batch:
                value = json.loads(message.value)
                self.ids[dict(message.headers)["ce_id"].decode()] += 1
                if "url" in value:
                    path = Path(value["url"].removeprefix("file://"))
                    assert path.exists(), f"an event without its object: {value}"

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
def topic(intake: Intake) -> Iterator[Topic]:
    found = Topic(intake)
    yield found
    found.close()


def killed(intake: Intake, partner: Partner, content: bytes, *how: str) -> bool:
    """Send a file to a replica that dies on the way; return whether it answered."""
    folder = intake.folder / uuid4().hex
    folder.mkdir()
    victim = replace(intake, port=Ports.free().kafka, folder=folder, process=None)
    victim.env = intake.env | {
        "PALATE_INTAKE_PORT": str(victim.port),
        "PALATE_INTAKE_METRICS_PORT": "",
    }
    victim.start("-m", "tests.intake.victim", *how)
    client = httpx.Client(base_url=victim.url, headers=partner.client.headers)
    try:
        Partner(partner.company, partner.token, client).send(content)
        has_answered = True
    except httpx.TransportError:
        has_answered = False
    client.close()
    assert victim.process is not None
    if how and how[0]:
        assert victim.process.wait(30) == -9
    else:
        victim.stop()
    return has_answered


@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("point", POINTS)
def test_row_15_killed_at_each_point(
    intake: Intake, partner: Partner, topic: Topic, point: str, time: int
) -> None:
    # The victim has to be the one that sends.
    intake.stop()
    content = json.dumps({"permalink": f"{point} {time} {uuid4()}"}).encode()
    killed(intake, partner, content, point)

    intake.start()
    answer = partner.send(content)

    assert answer.status_code == (200 if point in _COMMITTED else 202)
    number = answer.json()["import_id"]
    event = f"{number}/FileExtractSuccess"

    def is_sent() -> bool:
        topic.read()
        return bool(topic.ids[event])

    until(is_sent, "the event")
    until(lambda: _sent(intake, number) == [(event, True)], "that it is marked")
    topic.read()
    assert topic.ids[event] <= (2 if point == "after sending" else 1)
    known = "SELECT count(*) FROM ops.imports WHERE company = %s"
    assert intake.ask(known, partner.company) == [(1,)]
    files = list((intake.objects / partner.company / "files").iterdir())
    assert [one.read_bytes() for one in files] == [content]


@pytest.mark.parametrize("bug", ["event before object", "answer before commit"])
def test_planted_bugs_are_seen(
    intake: Intake, partner: Partner, topic: Topic, bug: str
) -> None:
    intake.stop()
    content = json.dumps({"permalink": str(uuid4())}).encode()
    point = "before the object" if bug == "event before object" else ""
    has_answered = killed(intake, partner, content, point, bug)
    intake.start()
    if bug == "event before object":
        with pytest.raises(AssertionError, match="an event without its object"):
            until(lambda: topic.read() or topic.ids, "the event")
    else:
        assert has_answered
        # It was answered, and is not known.
        assert partner.send(content).status_code == 202


def _sent(intake: Intake, number: str) -> list[tuple[Any, ...]]:
    return intake.ask(
        "SELECT event_id, sent_dt IS NOT NULL FROM ops.event_outbox"
        " WHERE import_id = %s",
        number,
    )
