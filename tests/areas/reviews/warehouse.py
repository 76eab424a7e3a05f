"""What the warehouse holds about reviews, with the business keys for hub keys."""

from collections import Counter
from typing import Any

from psycopg import Connection

from tests.areas.reviews.truth import Row
from tests.model.history import Position

_QUERIES = {
    "h_review": "SELECT review_id FROM dds.h_review",
    "h_user": "SELECT user_id FROM dds.h_user",
    "h_restaurant": "SELECT restaurant_id FROM dds.h_restaurant",
    "l_review_user": "SELECT review_id, user_id FROM dds.l_review_user"
    " JOIN dds.h_review USING (h_review_pk) JOIN dds.h_user USING (h_user_pk)",
    "l_review_restaurant": "SELECT review_id, restaurant_id"
    " FROM dds.l_review_restaurant JOIN dds.h_review USING (h_review_pk)"
    " JOIN dds.h_restaurant USING (h_restaurant_pk)",
    "s_review_revision": "SELECT topic, epoch, kafka_partition, kafka_offset,"
    " review_id, user_id, restaurant_id, revision, stars, review_text, written_at,"
    " version_dt FROM dds.s_review_revision JOIN dds.h_review USING (h_review_pk)"
    " JOIN dds.h_user USING (h_user_pk)"
    " JOIN dds.h_restaurant USING (h_restaurant_pk)",
    "s_review_photo": "SELECT review_id, version_dt, line_no, url, caption"
    " FROM dds.s_review_photo JOIN dds.h_review USING (h_review_pk)",
    "v_review": "SELECT review_id, user_id, restaurant_id, revision, stars,"
    " review_text, written_at, version_dt FROM dds.v_review",
    "v_review_photo": "SELECT review_id, line_no, url, caption FROM dds.v_review_photo",
    "restaurant_months": "SELECT r.restaurant_id, month, reviews_cnt, stars_avg,"
    " newest_text FROM cdm.restaurant_months AS m"
    " JOIN dds.h_restaurant AS r ON r.h_restaurant_pk = m.restaurant_id",
}


def tables(conn: Connection[Any]) -> dict[str, Counter[Row]]:
    """Return the rows of each table and view, as ``truth.tables`` has them."""
    return {name: Counter(conn.execute(query)) for name, query in _QUERIES.items()}


def refused(conn: Connection[Any], topic: str) -> dict[Position, str]:
    """Return the refused positions of a topic, each with its reason."""
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition, kafka_offset, reason"
        " FROM stg.rejected_messages WHERE topic = %s",
        (topic,),
    )
    return {(*position,): reason for *position, reason in rows}
