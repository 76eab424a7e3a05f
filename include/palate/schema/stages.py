"""The stages of all pipelines, as a table for the database's own functions."""

from palate import pipelines
from palate.database import Connection


def enter_stages(conn: Connection) -> None:
    """Write the stages of the pipelines to ``ops.stages``."""
    food = pipelines.food()
    rows = [
        (mark, food.area, [*stage.upstream], stage.reads_staging, stage.is_optional)
        for stage in food
        for mark in ((stage.name,) if stage.marks is None else stage.marks)
    ]
    conn.execute(
        "DELETE FROM ops.stages WHERE stage <> ALL(%s)", ([mark for mark, *_ in rows],)
    )
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.stages (stage, area, upstream, reads_staging, is_optional)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (stage) DO UPDATE SET"
            " (area, upstream, reads_staging, is_optional) = (excluded.area,"
            " excluded.upstream, excluded.reads_staging, excluded.is_optional)",
            rows,
        )
