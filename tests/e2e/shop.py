"""A very small order service: what it sends, and the rows that must come out."""

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import redis
from kafka import KafkaProducer

TOPIC = "order-service_orders"
PRICE = 350
_NAMESPACE = uuid.UUID("7f288a2e-0ad0-4039-8e59-6c9838d87307")


def new_id() -> str:
    """Return 24 hexadecimal digits that nobody has used."""
    return uuid.uuid4().hex[:24]


def key(business_key: str) -> uuid.UUID:
    """Return the hub key of a business key."""
    return uuid.uuid5(_NAMESPACE, business_key)


class Guest:
    """A guest of a restaurant with two dishes, known to the dictionaries."""

    def __init__(self, env: dict[str, str]) -> None:
        """Make the ids."""
        self._env = env
        self.id, self.restaurant = new_id(), new_id()
        self.pizza, self.soup = new_id(), new_id()
        self.category = f"Пицца {self.restaurant}"
        self._number = int(self.id[:12], 16)

    def enter_dictionaries(self) -> None:
        """Write the entries of the guest and of the restaurant."""
        menu = [
            {"_id": self.pizza, "name": "Маргарита", "price": 1, "category": "Пицца"},
            {"_id": self.soup, "name": "Борщ", "price": 1, "category": "Суп"},
        ]
        for dish in menu:
            dish["category"] = f"{dish['category']} {self.restaurant}"
        known = {"update_ts_utc": "2023-08-11 16:44:59"}
        with redis.Redis.from_url(self._env["REDIS_URL"]) as dictionaries:
            for entry in (
                {"_id": self.id, "name": "Котова О. В.", "login": "kotova_o"},
                {"_id": self.restaurant, "name": "Кофейня №1", "menu": menu},
            ):
                dictionaries.set(entry["_id"], json.dumps(entry | known))

    def order(
        self,
        dishes: list[str],
        number: int = 0,
        status: str = "CLOSED",
        partition: int | None = None,
        broker_dt: datetime | None = None,
    ) -> None:
        """Send an order of one piece of each dish, by the plain client.

        :param number: the same number is another version of the same order
        :param broker_dt: when that was; the record bears this time too
        """
        now = (broker_dt or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M:%S")
        cost = PRICE * len(dishes)
        payload: dict[str, Any] = {
            "restaurant": {"id": self.restaurant},
            "date": now,
            "user": {"id": self.id},
            "order_items": [
                {"id": dish, "name": "?", "price": PRICE, "quantity": 1}
                for dish in dishes
            ],
            "bonus_payment": 0,
            "cost": cost,
            "payment": cost,
            "bonus_grant": 0,
            "statuses": [{"status": status, "dttm": now}],
            "final_status": status,
            "update_ts": now,
        }
        message = {
            "object_id": self._number + number,
            "object_type": "order",
            "sent_dttm": now,
            "payload": payload,
        }
        client = KafkaProducer(bootstrap_servers=self._env["KAFKA_BOOTSTRAP"])
        try:
            client.send(
                TOPIC,
                json.dumps(message).encode(),
                partition=partition,
                timestamp_ms=int(broker_dt.timestamp() * 1000) if broker_dt else None,
            ).get(30)
        finally:
            client.close()

    def products(self, conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
        """Return the guest's dishes: name, orders, pieces, money."""
        return conn.execute(
            "SELECT product_name, order_cnt, pieces_cnt, amount"
            " FROM cdm.user_product_counters WHERE user_id = %s ORDER BY product_name",
            (key(self.id),),
        ).fetchall()

    def categories(self, conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
        """Return the guest's categories: name, orders, pieces, money."""
        return conn.execute(
            "SELECT split_part(category_name, ' ', 1), order_cnt, pieces_cnt, amount"
            " FROM cdm.user_category_counters WHERE user_id = %s"
            " ORDER BY category_name",
            (key(self.id),),
        ).fetchall()

    def counted(self, conn: psycopg.Connection[Any], orders: int) -> bool:
        """Tell whether both marts count so many orders of pizza, and nothing else."""
        money = Decimal(PRICE * orders)
        return self.products(conn) == [
            ("Маргарита", orders, orders, money)
        ] and self.categories(conn) == [("Пицца", orders, orders, money)]
