"""Who holds which tag: what the counters and the rules say (contract, section 4)."""

from collections.abc import Iterable

from tests.model.history import Rule
from tests.model.tables import Row

COUNTERS = {
    "product": "cdm.user_product_counters",
    "category": "cdm.user_category_counters",
}


def held(counters: dict[str, list[Row]], rules: Iterable[Rule]) -> set[Row]:
    """Return (user_id, tag) of all tags held, from the rows of both counter marts."""
    return {
        (user_id, rule.tag)
        for rule in rules
        if rule.active
        for user_id, _, name, order_cnt, *_ in counters[COUNTERS[rule.kind]]
        if name == rule.name and order_cnt >= rule.threshold
    }
