"""Fixtures: a copy of the program with a second area, and a warehouse for both.

What is added are files only: ``tests/areas/reviews/area``, and a DAG file of three
lines.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from psycopg.conninfo import conninfo_to_dict

from palate.names import SQL_FOLDER
from tests.areas.town import Town
from tests.checkout import Checkout
from tests.integration.broker import Broker
from tests.warehouses import MakeWarehouse

AREA = Path(__file__).parent / "reviews"


@pytest.fixture(scope="session")
def migrated(
    make_warehouse: MakeWarehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """Give the copy of the program, and a database that it has migrated."""
    root = tmp_path_factory.mktemp("program")
    with make_warehouse() as settings:
        checkout = Checkout.copied(root, settings)
        shutil.copytree(SQL_FOLDER.parent / "dags", root / "dags")
        shutil.copytree(AREA / "area", root / "sql" / "areas" / "reviews")
        shutil.copy(AREA / "dags" / "reviews_stream.py", root / "dags")
        done = checkout.palate("migrate")
        assert done.returncode == 0, done.stderr
        yield root, conninfo_to_dict(settings.dwh_dsn.get_secret_value())["dbname"]


@pytest.fixture
def town(
    tmp_path: Path,
    migrated: tuple[Path, str],
    make_warehouse: MakeWarehouse,
    producer: KafkaProducer,
) -> Iterator[Town]:
    root, template = migrated
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    with make_warehouse(template=template) as made:
        orders, *_ = made.palate_topics
        reviews = orders.replace("_raw", "_reviews")
        topics = made.palate_topics | {reviews: "review"}
        settings = made.model_copy(update={"palate_topics": topics})
        admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        admin.create_topics(
            {reviews: {"num_partitions": 2, "replication_factor": 1}},
            wait_for_metadata=True,
        )
        for topic in (orders, reviews):  # all that is sent is old
            Broker(settings, admin).configure(topic, retention_ms="-1")
        dsn = settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True) as conn:
            checkout = Checkout(tmp_path, settings)
            yield Town(checkout, conn, producer, orders, reviews)
        admin.delete_topics([reviews], raise_errors=False)
        admin.close()
