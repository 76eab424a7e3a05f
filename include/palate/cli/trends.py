"""The command ``palate trends``: where the lag of each log is going."""

from datetime import timedelta

from palate.cli.output import AsJson, exit_on_error, out, print_json, print_table
from palate.database import connect
from palate.positions import FeedPartition
from palate.reads import trends
from palate.settings import load_settings


def show_trends(as_json: AsJson = False) -> None:
    """Show lag, rates and time to clear per partition, and the worst of hour and day.

    Rates are those of the last five minutes. The watch measures them: what it has not
    seen is not shown.
    """
    with exit_on_error():
        settings = load_settings()
        with connect(settings) as conn:
            found = trends.trends(conn, settings)
        if as_json:
            print_json([one.as_dict() for one in found])
            return
        if not found:
            out.print("The watch has seen no log within a day: see that it runs.")
            return
        print_table(
            ("log", "lag", "arriving", "loading", "clear in", "of hour", "of day"),
            [
                (
                    str(FeedPartition(one.topic, one.epoch, one.partition)),
                    "?" if one.lag is None else str(one.lag),
                    _rate(one.arriving),
                    _rate(one.loading),
                    _time(one),
                    _worst(one.hour),
                    _worst(one.day),
                )
                for one in found
            ],
        )


def _rate(per_second: float | None) -> str:
    return "?" if per_second is None else f"{per_second:.1f}/s"


def _time(one: trends.LogTrend) -> str:
    if not one.lag:
        return "?" if one.lag is None else "-"
    if one.seconds_to_clear is None:
        return "it does not shrink"
    return str(timedelta(seconds=round(one.seconds_to_clear)))


def _worst(points: tuple[trends.Point, ...]) -> str:
    return str(max((one.lag for one in points if one.lag is not None), default="?"))
