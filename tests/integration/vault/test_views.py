"""The views are shaped for the planner: they say what plain ones say."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.vault import stage as vault
from tests.food import FOOD
from tests.integration.emptied import Emptied
from tests.integration.staged import caller, stage_entries, stage_messages
from tests.integration.ties import STORIES, Story
from tests.model.strategies import histories

_IN_FORCE = """
NOT EXISTS (
    SELECT FROM (
        SELECT topic, version_dt, kafka_offset, h_restaurant_pk AS key
        FROM dds.s_restaurant_names
        UNION ALL
        SELECT topic, version_dt, kafka_offset, h_user_pk
        FROM dds.s_user_names
    ) AS later
    WHERE
        (later.key, later.version_dt, later.topic)
        = (n.h_restaurant_pk, n.version_dt, n.topic)
        AND later.kafka_offset > n.kafka_offset
)
"""
# The same views the plain way: one look-up per order, per dish and per line.
PLAIN = f"""
CREATE SCHEMA plain;
CREATE VIEW plain.v_order AS
SELECT
    o.h_order_pk, o.order_id, o.order_dt, u.user_id, r.restaurant_id, newest.status,
    newest.cost, newest.payment, newest.version_dt, newest.hk_order_item_hashdiff,
    newest.statuses
FROM dds.h_order AS o
CROSS JOIN LATERAL (
    SELECT v.*
    FROM dds.s_order_version AS v
    WHERE v.order_id = o.order_id
    ORDER BY
        v.version_dt DESC, v.sent_dttm DESC NULLS LAST, v.broker_dt DESC,
        v.topic DESC, v.kafka_partition DESC, v.kafka_offset DESC, v.epoch DESC
    LIMIT 1
) AS newest
INNER JOIN dds.h_user AS u ON newest.h_user_pk = u.h_user_pk
INNER JOIN dds.h_restaurant AS r ON newest.h_restaurant_pk = r.h_restaurant_pk;
CREATE VIEW plain.v_product_name AS
SELECT
    p.h_product_pk,
    p.product_id,
    coalesce(menu.name, ordered.product_name) AS product_name,
    menu.name IS NOT NULL AS is_from_menu
FROM dds.h_product AS p
LEFT JOIN LATERAL (
    SELECT n.name
    FROM dds.s_product_names AS n
    INNER JOIN dds.h_restaurant AS r ON n.h_restaurant_pk = r.h_restaurant_pk
    WHERE
        n.h_product_pk = p.h_product_pk
        AND {_IN_FORCE}
    ORDER BY n.version_dt DESC, r.restaurant_id DESC, n.line_no DESC
    LIMIT 1
) AS menu ON TRUE
LEFT JOIN LATERAL (
    SELECT i.product_name
    FROM dds.s_order_item AS i
    INNER JOIN dds.s_order_version AS v
        ON (i.order_id, i.version_dt, i.hk_order_item_hashdiff)
            = (v.order_id, v.version_dt, v.hk_order_item_hashdiff)
    WHERE i.h_product_pk = p.h_product_pk AND i.product_name IS NOT NULL
    ORDER BY
        v.version_dt DESC, v.sent_dttm DESC NULLS LAST, v.broker_dt DESC,
        v.topic DESC, v.kafka_partition DESC, v.kafka_offset DESC, v.epoch DESC,
        i.line_no DESC
    LIMIT 1
) AS ordered ON TRUE;
CREATE VIEW plain.v_product_category AS
WITH told AS (
    SELECT DISTINCT ON (n.h_product_pk, n.version_dt)
        n.h_product_pk, n.version_dt, n.h_category_pk
    FROM dds.s_product_category AS n
    INNER JOIN dds.h_restaurant AS r ON n.h_restaurant_pk = r.h_restaurant_pk
    WHERE {_IN_FORCE}
    ORDER BY n.h_product_pk, n.version_dt, r.restaurant_id DESC, n.line_no DESC
),
changes AS (
    SELECT
        t.h_product_pk, t.h_category_pk,
        CASE WHEN before IS NULL THEN '-infinity' ELSE t.version_dt END AS from_dt
    FROM told AS t
    LEFT JOIN LATERAL (
        SELECT b.* FROM told AS b
        WHERE b.h_product_pk = t.h_product_pk AND b.version_dt < t.version_dt
        ORDER BY b.version_dt DESC LIMIT 1
    ) AS before ON TRUE
    WHERE before IS NULL OR t.h_category_pk IS DISTINCT FROM before.h_category_pk
)
SELECT
    c.h_product_pk, c.from_dt,
    coalesce(
        (
            SELECT min(n.from_dt) FROM changes AS n
            WHERE n.h_product_pk = c.h_product_pk AND n.from_dt > c.from_dt
        ),
        'infinity'
    ) AS until_dt,
    c.h_category_pk
FROM changes AS c;
CREATE VIEW plain.v_order_item AS
SELECT
    o.h_order_pk, o.order_id, n.product_id, n.product_name, c.category_name,
    i.quantity, i.price, i.line_no, o.order_dt, o.user_id, o.restaurant_id, o.status
FROM plain.v_order AS o
INNER JOIN dds.s_order_item AS i
    ON (o.order_id, o.version_dt, o.hk_order_item_hashdiff)
        = (i.order_id, i.version_dt, i.hk_order_item_hashdiff)
INNER JOIN plain.v_product_name AS n ON i.h_product_pk = n.h_product_pk
LEFT JOIN plain.v_product_category AS s
    ON i.h_product_pk = s.h_product_pk
        AND o.order_dt >= s.from_dt AND o.order_dt < s.until_dt
LEFT JOIN dds.h_category AS c
    ON coalesce(i.h_category_pk, s.h_category_pk) = c.h_category_pk;
CREATE VIEW plain.v_order_status AS
SELECT
    o.h_order_pk, o.order_id, told ->> 'status' AS status,
    (told ->> 'dttm')::timestamp AS status_dt, status_no
FROM plain.v_order AS o
CROSS JOIN LATERAL jsonb_array_elements(o.statuses)
    WITH ORDINALITY AS each (told, status_no);
"""
VIEWS = (
    *("v_order", "v_product_name", "v_product_category", "v_order_item"),
    "v_order_status",
)


@pytest.fixture(scope="module", autouse=True)
def plain(emptied: Emptied) -> Iterator[None]:
    """Make the plain views beside the real ones."""
    emptied.conn.execute(PLAIN)
    yield
    emptied.conn.execute("DROP SCHEMA plain CASCADE")


@given(data=st.data())
def test_views_say_what_plain_ones_say(emptied: Emptied, data: st.DataObject) -> None:
    emptied.empty()
    history = data.draw(histories(30, 14, epochs=2), label="history")
    stage_messages(emptied.conn, history.messages)
    stage_entries(emptied.settings, history.entries)
    vault.run(emptied.settings, FOOD, caller("vault"))
    _assert_alike(emptied.conn)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_ties_are_told_alike(emptied: Emptied, story: Story) -> None:
    emptied.empty()
    stage_messages(
        emptied.conn,
        [replace(one, partition=number) for number, one in enumerate(story.messages)],
    )
    stage_entries(emptied.settings, story.entries)
    vault.run(emptied.settings, FOOD, caller("vault"))
    _assert_alike(emptied.conn)


def _assert_alike(conn: psycopg.Connection) -> None:
    for name in VIEWS:
        # With their numbers: a row that comes twice differs from one that comes once.
        found = conn.execute(
            f"WITH shaped AS (SELECT v::text AS row, count(*) FROM dds.{name} AS v"
            " GROUP BY 1),"
            f" plain AS (SELECT v::text AS row, count(*) FROM plain.{name} AS v"
            " GROUP BY 1)"
            " SELECT 'too many', x.* FROM (TABLE shaped EXCEPT TABLE plain) AS x"
            " UNION ALL"
            " SELECT 'missing', x.* FROM (TABLE plain EXCEPT TABLE shaped) AS x"
        ).fetchall()
        assert found == [], name
