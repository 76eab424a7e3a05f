"""What somebody can do at one door of Kafka; runs inside a container.

The argument is JSON, the options of a client. Prints JSON: the topics that are seen,
null if the broker tells nothing; without a login also by deed "done", or why not.
"""

import json
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any
from uuid import uuid4

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

_TOPIC = "visitors"
_EVERY_RIGHT = AclBindingFilter(
    ResourceType.ANY,
    None,
    ResourcePatternType.ANY,
    None,
    None,
    AclOperation.ANY,
    AclPermissionType.ANY,
)
_ALL_RIGHTS = AclBinding(
    ResourceType.BROKER,
    "kafka-cluster",
    ResourcePatternType.LITERAL,
    "User:ANONYMOUS",
    "*",
    AclOperation.ALL,
    AclPermissionType.ALLOW,
)
_LOGIN = UserScramCredentialUpsertion(
    "visitor", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"a password"
)
_SECONDS = 30

Act = Callable[[], Iterable[Future[Any]]]


def main() -> None:
    """Look, and try each deed."""
    options = json.loads(sys.argv[1])
    admin = AdminClient(options)
    try:
        found: dict[str, Any] = {"sees": sorted(admin.list_topics(timeout=10).topics)}
    except KafkaException:
        print(json.dumps({"sees": None}))
        return
    if "sasl.username" not in options:
        found |= _tried(admin, options)
    print(json.dumps(found))


def _tried(admin: AdminClient, options: dict[str, Any]) -> dict[str, str]:
    deeds: dict[str, Act] = {
        "makes a topic": lambda: admin.create_topics([NewTopic(_TOPIC, 1, 1)]).values(),
        "writes": lambda: _write(options),
        "writes in a transaction": lambda: _write_in_a_transaction(options),
        "reads": lambda: _read(options, by_group=False),
        "reads in a group": lambda: _read(options, by_group=True),
        "adds partitions": lambda: admin.create_partitions(
            [NewPartitions(_TOPIC, 2)]
        ).values(),
        "deletes a topic": lambda: admin.delete_topics([_TOPIC]).values(),
        "reads rights": lambda: _read_rights(admin),
        "gives rights": lambda: admin.create_acls([_ALL_RIGHTS]).values(),
        "sets a login": lambda: admin.alter_user_scram_credentials([_LOGIN]).values(),
        "reads settings": lambda: admin.describe_configs([_broker()]).values(),
        "changes settings": lambda: admin.incremental_alter_configs(
            [_broker()]
        ).values(),
    }
    return {deed: _outcome(act) for deed, act in deeds.items()}


def _outcome(act: Act) -> str:
    try:
        for future in act():
            future.result(_SECONDS)
    except KafkaException as error:
        return str(error.args[0].name())
    return "done"


def _write(options: dict[str, Any]) -> list[Future[Any]]:
    producer = Producer(options)
    result: Future[None] = Future()

    def delivered(error: Any, _: Any) -> None:
        if error:
            result.set_exception(KafkaException(error))
        else:
            result.set_result(None)

    producer.produce(_TOPIC, b"a visitor was here", on_delivery=delivered)
    producer.flush(_SECONDS)
    return [result]


def _write_in_a_transaction(options: dict[str, Any]) -> list[Future[Any]]:
    producer = Producer(options | {"transactional.id": "visitor"})
    producer.init_transactions(_SECONDS)
    producer.begin_transaction()
    producer.produce(_TOPIC, b"a visitor was here")
    producer.commit_transaction(_SECONDS)
    return []


def _read(options: dict[str, Any], *, by_group: bool) -> list[Future[Any]]:
    own = {"group.id": f"visitor-{uuid4()}", "auto.offset.reset": "earliest"}
    consumer = Consumer(options | own)
    if by_group:
        consumer.subscribe([_TOPIC])
    else:
        consumer.assign([TopicPartition(_TOPIC, 0, 0)])
    record = consumer.poll(_SECONDS)
    try:
        if record is None:
            raise TimeoutError(f"Nothing to read in {_SECONDS} s.")
        if record.error():
            raise KafkaException(record.error())
    finally:
        consumer.close()
    return []


def _read_rights(admin: AdminClient) -> list[Future[Any]]:
    if not admin.describe_acls(_EVERY_RIGHT).result(_SECONDS):
        # There are some: the client hides the refusal.
        raise KafkaException(KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED))
    return []


def _broker() -> ConfigResource:
    entry = ConfigEntry(
        "log.cleaner.threads",
        "1",
        incremental_operation=AlterConfigOpType.SET,
    )
    return ConfigResource(ConfigResource.Type.BROKER, "1", incremental_configs=[entry])


if __name__ == "__main__":
    main()
