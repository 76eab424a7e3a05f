"""The tables and views that the contract names, and their columns.

A table is a list of plain tuples, sorted. Times of the business have no zone, broker
times are aware, ``entry`` is the text of ``jsonb.canonical``.
"""

from collections.abc import Iterable
from typing import Any

Row = tuple[Any, ...]
Tables = dict[str, list[Row]]

REJECTED = "stg.rejected_messages"
TAGS = "cdm.user_tags"

COLUMNS: dict[str, tuple[str, ...]] = {
    "stg.order_events": (
        "topic",
        "epoch",
        "kafka_partition",
        "kafka_offset",
        "broker_dt",
        "message",
    ),
    # The model has a frozenset in place of the reason: any of them may be named.
    REJECTED: (
        "topic",
        "epoch",
        "kafka_partition",
        "kafka_offset",
        "reason",
    ),
    "stg.dictionary_entries": ("id", "version_dt", "entry"),
    "dds.h_user": ("h_user_pk", "user_id"),
    "dds.h_restaurant": ("h_restaurant_pk", "restaurant_id"),
    "dds.h_product": ("h_product_pk", "product_id"),
    "dds.h_category": ("h_category_pk", "category_name"),
    "dds.h_order": ("h_order_pk", "order_id", "order_dt"),
    "dds.l_order_user": ("h_order_pk", "h_user_pk"),
    "dds.l_order_product": ("h_order_pk", "h_product_pk"),
    "dds.l_order_restaurant": ("h_order_pk", "h_restaurant_pk"),
    "dds.l_product_restaurant": ("h_product_pk", "h_restaurant_pk"),
    "dds.l_product_category": ("h_product_pk", "h_category_pk"),
    "dds.s_user_names": ("h_user_pk", "version_dt", "username", "userlogin"),
    "dds.s_restaurant_names": ("h_restaurant_pk", "version_dt", "name"),
    "dds.s_product_names": ("h_product_pk", "version_dt", "name"),
    "dds.s_order_cost": ("h_order_pk", "version_dt", "cost", "payment"),
    "dds.s_order_status": ("h_order_pk", "version_dt", "status"),
    "dds.v_order": (
        "h_order_pk",
        "order_id",
        "order_dt",
        "user_id",
        "restaurant_id",
        "status",
        "cost",
        "payment",
        "version_dt",
    ),
    "dds.v_order_item": (
        "h_order_pk",
        "order_id",
        "product_id",
        "product_name",
        "category_name",
        "quantity",
        "price",
    ),
    "cdm.user_product_counters": (
        "user_id",
        "product_id",
        "product_name",
        "order_cnt",
        "pieces_cnt",
        "amount",
    ),
    "cdm.user_category_counters": (
        "user_id",
        "category_id",
        "category_name",
        "order_cnt",
        "pieces_cnt",
        "amount",
    ),
    # Those held; since when, and who has had which, depends on the batches.
    TAGS: ("user_id", "tag"),
}


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return the rows sorted, NULL before all else."""
    return sorted(rows, key=lambda row: [(cell is not None, cell) for cell in row])
