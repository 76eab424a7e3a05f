"""A town with orders and reviews: its warehouse, and the program that fills it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from kafka import KafkaProducer

from tests.areas.reviews import messages, truth, warehouse
from tests.checkout import Checkout
from tests.model.history import Message
from tests.unit.model.stories import line, raw


@dataclass(frozen=True)
class Town:
    """A warehouse for orders and reviews, and the copy of the program that fills it."""

    checkout: Checkout
    conn: psycopg.Connection
    producer: KafkaProducer
    orders: str
    reviews: str

    def told(self, seed: int, reviews: int = 25) -> list[Message]:
        """Return messages about reviews, on the topic of this town."""
        return messages.messages(seed, reviews, topic=self.reviews)

    def send(self, sent: Iterable[Message]) -> None:
        """Send messages in their order; each gets the offset that it says."""
        done = [
            self.producer.send(
                one.topic,
                one.value,
                headers=[(name, value or b"") for name, value in one.headers],
                partition=one.partition,
                timestamp_ms=int(one.broker_dt.timestamp() * 1000),
            )
            for one in sent
        ]
        self.producer.flush()
        for one in done:
            one.get(timeout=10)

    def order(self, *numbers: int, status: str = "CLOSED") -> None:
        """Send orders of guests who also write reviews."""
        self.send(
            raw(
                number,
                [line(f"dish {number}")],
                topic=self.orders,
                user=messages.GUESTS[number % 3],
                restaurant=messages.RESTAURANTS[0],
                status=status,
            )
            for number in numbers
        )

    def palate(self, *arguments: str, code: int = 0) -> str:
        """Run the command, which must end so; return what it printed."""
        done = self.checkout.palate(*arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def python(self, code: str) -> str:
        """Run code that imports the program; return what it printed."""
        done = self.checkout.python(code)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def airflow(self, code: str) -> str:
        """Run code that imports Airflow, which is one of its own; the same."""
        root = self.checkout.root
        settings = {
            "AIRFLOW_HOME": str(root / "airflow"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        return self.python(f"import os\nos.environ |= {settings}\n{code}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what the warehouse answers."""
        return self.conn.execute(query).fetchall()

    def write(self, file: str, text: str) -> None:
        """Write a file of the area."""
        path = self.checkout.root / "sql" / "areas" / "reviews" / file
        path.write_text(text, encoding="utf-8")

    def assert_true(self, sent: Iterable[Message]) -> None:
        """Compare all that the warehouse holds about reviews with the truth."""
        accepted, refused = truth.judged(sent)
        named = {
            table: Counter(self.rows(query))
            for table, query in {
                "h_user": "SELECT DISTINCT user_id FROM dds.l_order_user"
                " JOIN dds.h_user USING (h_user_pk)",
                "h_restaurant": "SELECT DISTINCT restaurant_id"
                " FROM dds.l_order_restaurant"
                " JOIN dds.h_restaurant USING (h_restaurant_pk)",
            }.items()
        }
        expected = truth.tables(accepted)
        for table, keys in named.items():  # the hubs that orders feed as well
            expected[table] |= keys
        found = warehouse.tables(self.conn)
        for table, rows in expected.items():
            assert found[table] == rows, table
        assert warehouse.refused(self.conn, self.reviews) == refused
