"""Seeded traffic: few guests, dishes and times, so that everything collides.

Versions that arrive late or tie, duplicates, changes of guest and dishes, messages
that are no orders, entries that move dishes between categories, rules that change.
"""

import copy
import json
import random
from collections.abc import Iterable
from typing import Any

from tests.corpus.poison import CASES
from tests.model.history import Entry, Form, Rule

USERS = tuple(f"u{number}" for number in range(6))
RESTAURANTS = ("B", "a", "é")
DISHES = tuple(f"d{number}" for number in range(8))
NAMES = "ABCDE"  # of each dish, after its id
CATEGORIES = ("Пицца", "Суп", "")
STATUSES = (*["CLOSED"] * 4, "CANCELLED", "COOKING")
ORDERS = 12

Json = dict[str, Any]


class Traffic:
    """Messages and entries from one seed: the same calls give the same bytes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._edits = 0
        self._newcomers = 0
        self._told: dict[Form, list[Json]] = {form: [] for form in Form}
        self._sent: dict[Form, list[bytes | None]] = {form: [] for form in Form}
        self._odd = {
            form: [
                case
                for case in CASES
                if case.form is form and len(case.value or b"") < 5_000
            ]
            for form in Form
        }

    def value(self, form: Form) -> bytes | None:
        """Return the value of the next message."""
        kind = self.random.choices(
            ("new", "version", "duplicate", "odd"), (5, 6, 1, 1)
        )[0]
        value: bytes | None
        if kind == "odd":
            value = self.random.choice(self._odd[form]).value
        elif kind == "duplicate" and self._sent[form]:
            value = self.random.choice(self._sent[form])
        else:
            order = self._any_order(form)
            if kind == "version" and self._told[form]:
                order = self._version(self.random.choice(self._told[form]), order)
            self._told[form].append(order)
            value = json.dumps(order, ensure_ascii=self.random.random() < 0.5).encode()
        self._sent[form].append(value)
        return value

    def entry(self) -> Entry:
        """Return what Redis gets next under one key: a guest or a menu."""
        name = self.random.choice(("Лобио", "Маргарита", "Котова Ольга", ""))
        fields: Json = {"name": name, "update_ts_utc": self._time()}
        if self.random.random() < 0.4:
            id = self.random.choice(USERS)
            fields["login"] = self.random.choice(("kotova_o", "o", None))
        else:
            id = self.random.choice(RESTAURANTS)
            fields["menu"] = [self._dish(dish) for dish in self._some(DISHES)]
        return Entry(id, json.dumps({"_id": id, **fields}).encode())

    def rules(self) -> list[Rule]:
        """Return the rules as they are to be next; each time they differ.

        Whoever has had the first dish always has a tag; whoever has had the second one
        gets another tag each time.
        """
        self._edits += 1
        number = self._edits
        category = CATEGORIES[number % len(CATEGORIES)]
        return [
            *(Rule("product", f"{DISHES[0]} {x}", 1, "knows it") for x in NAMES),
            *(Rule("product", f"{DISHES[1]} {x}", 1, f"ate {number}") for x in NAMES),
            Rule("category", category, 2 + number % 2, f"likes {number}"),
            Rule("category", CATEGORIES[0], 2, "likes pizza", active=number % 2 == 0),
        ]

    def newcomer(self, form: Form, id: str) -> tuple[bytes, Entry]:
        """Return an order of a guest whom nobody knows yet, and the guest's entry.

        The order gives a tag: see ``rules``.
        """
        self._newcomers += 1
        number = 2 * ORDERS + self._newcomers
        order = self._order(form, number, "CLOSED", [DISHES[0]])
        order["payload"]["user"]["id"] = id
        fields = {"_id": id, "name": id, "update_ts_utc": self._time(), "login": "n"}
        return json.dumps(order).encode(), Entry(id, json.dumps(fields).encode())

    def _any_order(self, form: Form) -> Json:
        return self._order(
            form,
            self.random.randrange(ORDERS),
            self.random.choice(STATUSES),
            self._some(DISHES),
        )

    def _order(
        self, form: Form, number: int, status: str, dishes: Iterable[str]
    ) -> Json:
        number += 1000 if form is Form.ENRICHED else 0
        payload: Json = {
            "restaurant": {"id": self.random.choice(RESTAURANTS)},
            "user": {"id": self.random.choice(USERS)},
            "date": self._time(),
            "cost": self.random.randrange(1, 9) * 100,
            "payment": self.random.choice((90, 100, 0.5)),
        }
        lines = [self._line(form, dish) for dish in dishes]
        order: Json = {"object_id": number, "object_type": "order", "payload": payload}
        if form is Form.RAW:
            order["sent_dttm"] = self.random.choice((None, self._time()))
            payload |= {
                "order_items": lines,
                "final_status": status,
                "update_ts": self._time(),
                "statuses": [{"status": status, "dttm": self._time()}],
            }
        else:
            payload |= {"id": number, "products": lines, "status": status}
            payload["user"]["name"] = self.random.choice(("Котова", "Ольга"))
            payload["restaurant"]["name"] = self.random.choice(("Кофейня", "№1"))
        return order

    def _version(self, old: Json, new: Json) -> Json:
        """Return the old order with some of its fields anew."""
        version = copy.deepcopy(old)
        names = self.random.sample(sorted(new["payload"]), k=3)
        version["payload"] |= {name: new["payload"][name] for name in names}
        if "id" in version["payload"]:
            version["payload"]["id"] = version["object_id"]
        return version

    def _line(self, form: Form, dish: str) -> Json:
        line: Json = {
            "id": dish,
            "name": f"{dish} {self.random.choice(NAMES[:2])}",
            "price": self.random.choice((180, 200, 99.5)),
            "quantity": self.random.randrange(1, 4),
        }
        if form is Form.ENRICHED:
            line["category"] = self.random.choice((*CATEGORIES, None))
        return line

    def _dish(self, dish: str) -> Json:
        return {
            "_id": dish,
            "name": f"{dish} {self.random.choice(NAMES[2:])}",
            "price": self.random.choice((180, 200)),
            "category": self.random.choice((*CATEGORIES, None)),
        }

    def _some(self, things: tuple[str, ...]) -> list[str]:
        return self.random.choices(things, k=self.random.choice((0, 1, 2, 3, 3, 4)))

    def _time(self) -> str:
        # Few moments: orders and menus meet at the same one all the time.
        day, hour = self.random.randrange(1, 5), self.random.randrange(10)
        return f"2023-08-0{day} {hour:02}:00:00"
