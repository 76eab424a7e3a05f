"""What templates say of numbers, times and foreign text."""

from datetime import datetime, timedelta, timezone

from fastapi import FastAPI
from starlette.requests import Request

from palate_cockpit import templating

_TEMPLATES = templating.make_templates().env


def test_time_is_said_in_utc_whatever_its_zone() -> None:
    there = datetime(2026, 1, 31, 3, tzinfo=timezone(timedelta(hours=3)))
    assert templating.utc(there) == "2026-01-31 00:00:00 UTC"
    assert templating.utc(datetime(2026, 1, 31)) == "2026-01-31 00:00:00 UTC"


def test_line_is_broken_where_nothing_is_known() -> None:
    assert templating.points([0, 1, None, 2]) == [
        "0.00,19.00 33.33,10.00",
        *["100.00,1.00 100.00,1.00"],
    ]
    assert templating.points([None, None]) == []


def test_foreign_text_is_inert() -> None:
    shown = _TEMPLATES.from_string("<p>{{ text }}</p>{{ text | lines }}").render(
        text="<script>\u202e\n'\""
    )
    assert shown == (
        "<p>&lt;script&gt;\\u202e\\n&#39;&#34;</p>&lt;script&gt;\\u202e\n&#39;&#34;"
    )


def test_link_stays_below_wherever_the_app_is_mounted() -> None:
    scope = {
        "type": "http",
        "app": FastAPI(),
        "root_path": "/airflow/palate",
        "headers": [],
    }
    link = _TEMPLATES.from_string("{{ page('/refused', reason='a&b', topic=none) }}")
    assert link.render(request=Request(scope)) == (
        "/airflow/palate/refused?reason=a%26b"
    )


def test_path_of_a_run_is_encoded() -> None:
    path = templating.run_path("manual__2026-01-31T00:00:00+00:00/x", "orders_stream")
    assert path == (
        "dags/orders_stream/runs/manual__2026-01-31T00%3A00%3A00%2B00%3A00%2Fx"
    )
