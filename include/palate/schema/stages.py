"""The stages of all pipelines, as a table for the database's own functions."""

from palate import pipelines
from palate.database import Connection
from palate.errors import DefinitionError
from palate.sources import Area, catalog


def enter_stages(conn: Connection) -> None:
    """Write the stages of all areas to ``ops.stages``.

    Also of those that are off: what they have not taken is kept for them.

    :raises DefinitionError: if two areas have a stage of the same name
    """
    rows = [
        row for name in catalog.area_names() for row in _rows(catalog.load_area(name))
    ]
    areas: dict[str, str] = {}
    for stage, area, *_ in rows:
        other = areas.setdefault(stage, area)
        if other != area:
            message = (
                f"sql/areas/{area}/area.yaml: prefix: its stage {stage} is one of "
                f"{other} already. Give the area another prefix."
            )
            raise DefinitionError(message)
    conn.execute(
        "DELETE FROM ops.stages WHERE stage <> ALL(%s)",
        ([stage for stage, *_ in rows],),
    )
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.stages (stage, area, upstream, reads_staging, is_optional)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (stage) DO UPDATE SET"
            " (area, upstream, reads_staging, is_optional) = (excluded.area,"
            " excluded.upstream, excluded.reads_staging, excluded.is_optional)",
            rows,
        )


def _rows(area: Area) -> list[tuple[str, str, list[str], bool, bool]]:
    return [(feed, area.name, [], False, False) for feed in area.feeds] + [
        (mark, area.name, [*stage.upstream], stage.reads_staging, stage.is_optional)
        for stage in pipelines.pipeline(area)
        for mark in ((stage.name,) if stage.marks is None else stage.marks)
    ]
