"""Runs stages once, and dies at a statement: a process of its own.

``python -m tests.areas.flights.victim <trace> [<point> [<stage>]]``
"""

import sys
from pathlib import Path

from palate import pipelines
from palate.engine import Caller
from palate.settings import load_settings
from palate.sources import catalog
from tests.faults import points
from tests.faults.points import Trip


def main(trace: str, point: str = "", only: str = "") -> None:
    """Run all stages but the drain, or one; die before the statement of the point."""
    settings = load_settings()
    trip = Trip(name=point) if point else None
    dsn = settings.dwh_dsn.get_secret_value()
    reached = points.watch(trip, Path(trace), dsn)
    (area,) = catalog.areas(settings)
    for stage in pipelines.pipeline(area):
        if only and stage.name != only:
            continue
        if stage.name != area.drain and stage.is_on(settings):
            reached.stage = stage.name
            stage.run(settings, Caller.in_shell(stage.name))


if __name__ == "__main__":
    main(*sys.argv[1:])
