"""What the intake counts; no label has a company, an id or a file's name in it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from palate.intake.import_metrics import ImportCounts

REGISTRY = CollectorRegistry()
IMPORTS = ImportCounts()
REGISTRY.register(IMPORTS)

REQUESTS = Counter(
    "palate_intake_requests",
    "Files that came, by what became of them",
    ["dataset", "outcome"],
    registry=REGISTRY,
)
SECONDS = Histogram(
    "palate_intake_request_seconds",
    "How long a file took, from its headers to the answer",
    ["dataset"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
    registry=REGISTRY,
)
RECEIVED = Counter(
    "palate_intake_received_bytes", "Bytes received", ["dataset"], registry=REGISTRY
)
UNPACKED = Counter(
    "palate_intake_file_bytes",
    "Bytes of files, unpacked",
    ["dataset"],
    registry=REGISTRY,
)
RECORDS = Counter(
    "palate_intake_records", "Records of accepted files", ["dataset"], registry=REGISTRY
)
UPLOADS = Gauge(
    "palate_intake_uploads_in_progress", "Files on their way in", registry=REGISTRY
)
SPOOLED = Gauge(
    "palate_intake_spool_bytes", "Bytes of files on their way in", registry=REGISTRY
)
UP = Gauge(
    "palate_intake_dependency_up",
    "Whether the last look at a dependency was good",
    ["dependency"],
    registry=REGISTRY,
)
EVENTS = Counter(
    "palate_intake_events",
    "Events by whether Kafka has acknowledged them",
    ["event", "outcome"],
    registry=REGISTRY,
)
OUTBOX = Gauge(
    "palate_intake_outbox_waiting", "Events not sent yet", ["topic"], registry=REGISTRY
)
OUTBOX_SECONDS = Gauge(
    "palate_intake_outbox_oldest_seconds",
    "Age of the oldest event that was not sent yet",
    ["topic"],
    registry=REGISTRY,
)
BUILD = Gauge(
    "palate_build_info", "What runs here", ["version", "commit"], registry=REGISTRY
)
