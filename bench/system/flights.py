"""An airline's changes from their topics to the mart: what each costs.

The tickets come as a snapshot, straight into STG. Then batches of changes are sent to
Kafka, read as the floor does, and loaded.
"""

from dataclasses import dataclass, field
from datetime import datetime

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from bench.changes import PAST, PREFIX, TABLES, Airline, Record
from bench.floor import Floor
from bench.results import Figure, Limits
from bench.samples import Samples
from bench.services import Services, console, now
from palate.database import connect
from palate.engine.outcome import Caller
from palate.landing import drain
from palate.landing.partitions import ensure_partitions
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.positions.ranges import FeedPartition, Range
from palate.positions.watermark import advance
from palate.settings import Settings, load_settings
from palate.sources import catalog
from palate.tables import initial_load
from palate.vault import stage as vault

_FLIGHTS = catalog.load_area("flights")
_TOPICS = [f"{PREFIX}.bookings.{table}" for table in (*TABLES, "heartbeat")]
# In one transaction of the snapshot's staging.
_PIECE = 500_000
_GROWTH = Limits(1.5, 1.2)
_MICRO = 1e6


@dataclass
class Size:
    """What was measured with so many tickets; seconds are those of one change."""

    tickets: int
    floor: Floor
    stages: dict[str, Samples] = field(default_factory=dict)
    total: Samples = field(default_factory=Samples)
    # Of a passenger, when the mart is filled for the first time.
    fill: Samples = field(default_factory=Samples)

    def add(self, name: str, seconds: float) -> None:
        """Add a sample of a stage."""
        self.stages.setdefault(name, Samples()).values.append(seconds)


def measure(
    services: Services, *, tickets: int, changes: int, repetitions: int
) -> Size:
    """Load a snapshot, and then batches of changes.

    :param changes: of a batch
    :param repetitions: how many batches
    """
    database = f"bench_flights_{tickets}"
    services.fresh_warehouse(database)
    _make_topics(services)
    past = _settings(services, database, PAST)
    console.print(f"A snapshot of {tickets:,} tickets ...")
    _stage(past, Airline(tickets, PAST))
    _vault(past)
    services.vacuum(database)
    found = Size(tickets, Floor(services, *_TOPICS))
    passengers = _fill(past, found)
    console.print(f"The mart has {passengers:,} passengers.")
    services.vacuum(database)

    settings = _settings(services, database, PREFIX)
    airline = Airline(tickets)
    begin: dict[str, int] = {}
    for number in range(repetitions):
        console.print(f"Batch {number + 1} of {changes:,} changes ...")
        records = list(airline.changes(changes))
        _send(services, records)
        found.floor.measure(begin)
        _load(settings, found, changes)
        for one in records:
            begin[one.topic] = one.offset + 1
    return found


def figures(sizes: list[Size]) -> list[Figure]:
    """Return the lines of the table."""
    smallest, *_ = sizes
    found = []

    def add(case: str, samples: Samples, unit: str, limits: Limits | None) -> None:
        figure = Figure("flights", case, samples.median, unit, samples.values, limits)
        found.append(figure)

    for size in sizes:
        case = f"{size.tickets:,} tickets"
        floors = size.floor.total.values
        pairs = list(zip(size.total.values, floors, strict=True))
        ratios = Samples([total / floor for total, floor in pairs])
        add(f"{case}: topic to mart", ratios, "x floor", None)
        rate = Samples([1 / total for total in size.total.values])
        add(f"{case}: topic to mart", rate, "changes/s", None)
        if size is not smallest:
            growth = Samples([one / smallest.total.median for one in size.total.values])
            add(f"{case}: topic to mart", growth, f"x {smallest.tickets:,}", _GROWTH)
        steps = {"read": size.floor.consume, "COPY": size.floor.copy} | size.stages
        for name, samples in steps.items():
            micros = Samples([one * _MICRO for one in samples.values])
            add(f"{case}: {name}", micros, "us/change", None)
        fill = Samples([1 / one for one in size.fill.values])
        add(f"{case}: first fill of the mart", fill, "passengers/s", None)
    return found


def _settings(services: Services, database: str, prefix: str) -> Settings:
    env = services.stack.env()
    return load_settings(
        dwh_dsn=env["DWH_DSN"].rsplit("/", 1)[0] + f"/{database}",
        kafka_bootstrap=env["KAFKA_BOOTSTRAP"],
        palate_areas=_FLIGHTS.name,
        flights_topic_prefix=prefix,
    )


def _make_topics(services: Services) -> None:
    """Make the topics anew: each size begins at their first offset."""
    admin = KafkaAdminClient(bootstrap_servers=services.stack.env()["KAFKA_BOOTSTRAP"])
    admin.delete_topics(_TOPICS, raise_errors=False)
    made = {name: {"num_partitions": 1, "replication_factor": 1} for name in _TOPICS}
    admin.create_topics(made, wait_for_metadata=True)
    admin.close()


def _stage(settings: Settings, airline: Airline) -> None:
    piece: list[Record] = []
    for record in airline.snapshot():
        piece.append(record)
        if len(piece) == _PIECE:
            _copy(settings, piece)
            piece = []
    _copy(settings, piece)


def _copy(settings: Settings, records: list[Record]) -> None:
    """Put records into STG, in one transaction."""
    ends: dict[str, Range] = {}
    for one in records:
        begin = ends[one.topic].start if one.topic in ends else one.offset
        log = FeedPartition(one.topic, 0, 0)
        ends[one.topic] = Range(log, begin, one.offset + 1)
    ranges = sorted(ends.values(), key=lambda one: one.log)
    staged_dt: datetime = now()
    with connect(settings) as conn, conn.transaction():
        ensure_partitions(conn, settings, ranges)
        with (
            conn.cursor() as cursor,
            cursor.copy(
                "COPY stg.order_events (topic, epoch, kafka_partition, kafka_offset,"
                " broker_dt, kafka_key, message, staged_dt) FROM STDIN"
            ) as copy,
        ):
            for one in records:
                copy.write_row(
                    (
                        *(one.topic, 0, 0, one.offset, one.sent_at),
                        *(one.key, one.value, staged_dt),
                    )
                )
        advance(conn, _FLIGHTS.drain, ranges, staged_dt)


def _send(services: Services, records: list[Record]) -> None:
    bootstrap = services.stack.env()["KAFKA_BOOTSTRAP"]
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)
    for one in records:
        producer.send(one.topic, one.value, one.key, partition=0)
    producer.flush()
    producer.close()


def _fill(settings: Settings, found: Size) -> int:
    """Fill the mart; return how many rows it has."""
    (mart,) = load_marts(_FLIGHTS.name)
    seconds = Samples()
    is_filling = True
    while is_filling:
        with seconds.timed():
            marts.run(settings, mart, Caller.in_shell(mart))
        with connect(settings) as conn:
            is_filling = bool(initial_load.pending_of(conn, [mart]))
    with connect(settings) as conn:
        (rows,) = conn.execute(f"SELECT count(*) FROM cdm.{mart}").fetchone() or (0,)
    found.fill.values.append(sum(seconds.values) / max(rows, 1))
    return int(rows)


def _vault(settings: Settings) -> None:
    vault.run(settings, _FLIGHTS, Caller.in_shell("vault"))


def _load(settings: Settings, found: Size, changes: int) -> None:
    (mart,) = load_marts(_FLIGHTS.name)
    steps = {
        "drain": lambda: drain.run(settings, _FLIGHTS, Caller.in_shell("drain")),
        "vault": lambda: _vault(settings),
        "mart": lambda: marts.run(settings, mart, Caller.in_shell(mart)),
    }
    total = 0.0
    for name, step in steps.items():
        one = Samples()
        with one.timed(1 / changes):
            step()
        found.add(name, one.values[0])
        total += one.values[0]
    found.total.values.append(total)
