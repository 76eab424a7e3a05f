"""What has to be well, each as a look that raises if it is not."""

from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from palate import database
from palate.clients import kafka_connection
from palate.errors import ServiceUnavailableError, SettingsError
from palate.files import IntakeSettings, events, objects
from palate.intake.metrics import IMPORTS, OUTBOX, OUTBOX_SECONDS
from palate.names import SQL_FOLDER

# As the topics of events are: an acknowledged write here means one there.
PROBE_TOPIC = "palate-intake-probe"
_PARTITIONS = 3
_REPLICAS = 3
_TIMEOUT_MS = 2_500
PREPARE_SECONDS = 2.0
# By name they are in order, and the last is what this program was written for.
_REVISION = max(
    path.stem.partition("_")[0] for path in SQL_FOLDER.glob("ops/versions/*.sql")
)


def all_of(
    settings: IntakeSettings, store: objects.Store
) -> dict[str, Callable[[], None]]:
    """Return the looks, by the names that an answer gives them."""
    kafka = _Kafka(settings)
    return {
        "postgres": lambda: _postgres(settings),
        "objects": store.probe,
        "kafka": kafka.look,
        "schema": lambda: _schema(settings),
    }


def prepare_topics(settings: IntakeSettings) -> list[str]:
    """Make the topics that are missing; return them.

    :raises ServiceUnavailableError: if Kafka does not answer, or refuses
    """
    timeout = settings.palate_kafka_timeout
    admin = AdminClient(kafka_connection.librdkafka_options(settings))
    try:
        brokers = len(admin.list_topics(timeout=timeout).brokers)
    except KafkaException as error:
        raise kafka_connection.away(settings, error.args[0].str(), _MEANWHILE) from None
    replicas = min(_REPLICAS, brokers)
    config = {"min.insync.replicas": str(max(1, replicas - 1))}
    new = [
        NewTopic(name, _PARTITIONS, replicas, config=config | more)
        for name, more in (
            *((topic.value, {}) for topic in events.Topic),
            (PROBE_TOPIC, {"retention.ms": "60000"}),
        )
    ]
    made = []
    for name, done in admin.create_topics(new, operation_timeout=timeout).items():
        try:
            done.result(timeout + 1)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise kafka_connection.away(
                    settings, error.args[0].str(), _MEANWHILE
                ) from None
        else:
            made.append(name)
    return made


_MEANWHILE = "Files are kept; events about them wait in the outbox."


def _postgres(settings: IntakeSettings) -> None:
    with database.connect(settings, "The intake") as conn:
        conn.execute("UPDATE ops.intake_looks SET looked_dt = clock_timestamp()")
        for topic, (number, seconds) in events.backlog(conn).items():
            OUTBOX.labels(topic).set(number)
            OUTBOX_SECONDS.labels(topic).set(seconds)
        IMPORTS.count(conn)


def _schema(settings: IntakeSettings) -> None:
    with database.connect(settings, "The intake") as conn:
        row = conn.execute("SELECT max(version_num) FROM ops.migrations").fetchone()
    if row is None or str(row[0]) < _REVISION:
        message = (
            f"The warehouse has version {row and row[0]} of its tables, and the intake "
            f"needs {_REVISION}. Run `palate migrate`."
        )
        raise SettingsError(message)


class _Kafka:
    """Sends a record, and wants it acknowledged: metadata that answer prove nothing."""

    def __init__(self, settings: IntakeSettings) -> None:
        self._settings = settings
        self._producer: Producer | None = None

    def look(self) -> None:
        """Send one record.

        :raises ServiceUnavailableError: if it is not acknowledged
        """
        if self._producer is None:
            self._producer = Producer(
                kafka_connection.librdkafka_options(self._settings)
                | {
                    "acks": "all",
                    "message.timeout.ms": _TIMEOUT_MS,
                    "allow.auto.create.topics": False,
                }
            )
        problems: list[KafkaError | None] = []

        def note(error: KafkaError | None, _: Message) -> None:
            problems.append(error)

        with suppress(BufferError):
            self._producer.produce(PROBE_TOPIC, b"", on_delivery=note)
        self._producer.flush(_TIMEOUT_MS / 1000 + 0.3)
        if not problems or problems[0] is not None:
            why = problems[0].str() if problems and problems[0] else "it doesn't answer"
            message = f"Kafka does not acknowledge a record in {PROBE_TOPIC}: {why}."
            raise ServiceUnavailableError(message)
