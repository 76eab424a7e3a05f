"""The few ids, names, times and numbers of generated histories.

Few, so that versions, dishes and times collide all the time.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.model.history import NO_TIME
from tests.model.render import Literal

# 2^53 + 1 is the first whole number that a double can't hold.
ORDER_IDS = st.sampled_from([1, 2, 3, 2**53 + 1])
USER_IDS = ("u1", "u2", "гость")
# By bytes "B" < "a" < "é"; in most languages' order it is otherwise.
RESTAURANT_IDS = ("B", "a", "é")
DISH_IDS = ("d1", "d2", "d3")
USERS = st.sampled_from(USER_IDS)
RESTAURANTS = st.sampled_from(RESTAURANT_IDS)
DISHES = st.sampled_from(DISH_IDS)

NAMES = st.sampled_from(["Лобио", "Маргарита", "", " Пицца 😀 "])
CATEGORIES = st.sampled_from(["Пицца", "Суп", ""])
STATUSES = st.sampled_from(["CLOSED", "CLOSED", "CLOSED", "CANCELLED", "closed"])

# Orders and menus share their times, so that "at order_dt" meets its bounds.
TIMES = st.sampled_from(
    [
        "2023-08-01 10:00:00",
        "2023-08-02 09:59:59",
        "2023-08-02 10:00:00",
        "2023-08-02 10:00:01",
        "2023-08-04 00:00:00",
    ]
)
FAR_TIMES = ("0001-01-01 00:00:00", "9999-12-31 23:59:59")

_BROKER_DT = datetime(2023, 8, 3, 0, 0, 0, tzinfo=UTC)
BROKER_TIMES = st.sampled_from(
    [
        # A version of the last of TIMES is in the future by 1 ms, or not at all.
        _BROKER_DT - timedelta(milliseconds=1),
        _BROKER_DT,
        *[_BROKER_DT + timedelta(days=2)] * 4,
        NO_TIME,
    ]
)

# The same numbers in several spellings.
MONEY = st.sampled_from(
    ["100", "100.0", "1e2", "0.1", "0.30000", "99.99999", "0", "-0", "1000000000000"]
).map(Literal)
QUANTITIES = st.sampled_from(["1", "1.0", "2", "1e1", "1000000"]).map(Literal)

# Whether a list goes on: nine times in ten.
MORE = st.integers(0, 9).map(bool)

MISSING = object()


def weighted(
    *choices: tuple[int, st.SearchStrategy[Any]],
) -> st.SearchStrategy[Any]:
    """Give each choice as often as its weight says.

    ``one_of`` takes a strategy that is named twice only once, hence the copies.
    """
    return st.one_of(
        *[
            choice.map(lambda drawn: drawn)
            for weight, choice in choices
            for _ in range(weight)
        ]
    )


def mostly(usual: st.SearchStrategy[Any], *others: Any) -> st.SearchStrategy[Any]:
    """Give one of ``others`` once in six times."""
    return weighted((5, usual), (1, st.sampled_from(others)))


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Give objects with these fields; a field drawn as ``MISSING`` is left out.

    (What ``fixed_dictionaries`` calls optional is missing too often.)
    """
    return st.fixed_dictionaries(fields).map(
        lambda drawn: {
            name: value for name, value in drawn.items() if value is not MISSING
        }
    )
