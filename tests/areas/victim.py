"""Runs the stages of all areas once, and dies at a statement: a process of its own.

``python -m tests.areas.victim <trace> [<point>]``; the trace gets the names of points.
"""

import sys
from pathlib import Path

from palate import pipelines
from palate.engine import Caller
from palate.settings import load_settings
from palate.sources import catalog
from tests.faults import points
from tests.faults.points import Trip


def main(trace: str, point: str = "") -> None:
    """Run every stage; be killed before the statement that the point names."""
    settings = load_settings()
    trip = Trip(name=point) if point else None
    dsn = settings.dwh_dsn.get_secret_value()
    reached = points.watch(trip, Path(trace), dsn)
    for area in catalog.areas(settings):
        for stage in pipelines.pipeline(area):
            reached.stage = stage.name
            stage.run(settings, Caller.in_shell(stage.name))


if __name__ == "__main__":
    main(*sys.argv[1:])
