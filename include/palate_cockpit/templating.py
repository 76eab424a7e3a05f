"""The templates' environment, and what every template may say."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from urllib.parse import quote, urlencode

from fastapi.templating import Jinja2Templates
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from palate.counted import duration
from palate.text import escape_controls
from palate_cockpit import documents, octets

# The pages that every page leads to.
NAVIGATION = (
    ("/", "Overview"),
    ("/batches", "Batches"),
    ("/refused", "Refused"),
    ("/checks", "Checks"),
    ("/reloads", "Reloads"),
    ("/incidents", "Incidents"),
    ("/guests", "Guests"),
    ("/tags", "Tags"),
    ("/charts", "Charts"),
    (documents.PATH, "Help"),
)
STATIC = resources.files("palate_cockpit") / "static"


def make_templates() -> Jinja2Templates:
    """Return the templates; whatever they are given is escaped."""
    environment = Environment(
        loader=PackageLoader("palate_cockpit"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_inert,
    )
    environment.globals |= {
        "NAVIGATION": NAVIGATION,
        "now": lambda: datetime.now(UTC),
        "MOST_BYTES": octets.MOST,
        "MOST_HEADERS": octets.MOST_HEADERS,
        "page": page_path,
    }
    environment.filters |= {
        "advice": advice,
        "columns": columns,
        "number": number,
        "duration": duration,
        "utc": utc,
        "dag_path": dag_path,
        "json": in_attribute,
        "lines": lines,
        "octets": octets.Octets,
        "in_short": octets.in_short,
        "points": points,
        "runbook": runbook,
        "run_path": run_path,
    }
    environment.tests["is_vault_table"] = re.compile(r"[hls]_").match
    return Jinja2Templates(env=environment)


@pass_context
def page_path(context: Context, path: str, **query: Any) -> str:
    """Return the path of a page of the cockpit, below wherever it is mounted.

    Parameters that are None are left out.
    """
    given = {name: value for name, value in query.items() if value is not None}
    root = context["request"].scope.get("root_path", "")
    asked = f"?{urlencode(given, doseq=True)}" if given else ""
    return f"{root}{path}{asked}"


@pass_context
def runbook(context: Context, sentence: str) -> Markup:
    """Return a sentence; where it names a document, and a heading, is a link."""
    root = context["request"].scope.get("root_path", "")
    return documents.with_links(sentence, root)


@pass_context
def advice(context: Context, subject: str) -> tuple[Markup, ...]:
    """Return what a table of the operator's guide says about something."""
    return documents.advice(subject, context["request"].scope.get("root_path", ""))


def columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the columns that any row has, in their order."""
    return list(dict.fromkeys(name for row in rows for name in row))


def number(value: float) -> Markup:
    """Return a number with its thousands apart, such as ``12,300``."""
    return Markup(f"{value:,}")


def in_attribute(value: Any) -> str:
    """Return a value as JSON, for an attribute; times by ISO 8601."""
    return json.dumps(value, default=lambda time: time.isoformat())


def utc(value: datetime) -> str:
    """Return a time in UTC; without a zone it is in UTC already."""
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC):%F %T} UTC"


def dag_path(dag_id: str) -> str:
    """Return the path of a DAG in the Airflow UI."""
    return f"dags/{quote(dag_id, safe='')}"


def run_path(run_id: str, dag_id: str) -> str:
    """Return the path of a run in the Airflow UI."""
    return f"{dag_path(dag_id)}/runs/{quote(run_id, safe='')}"


def lines(text: str) -> Markup:
    """Return text for ``pre``: its lines stay, all else that can't be seen doesn't."""
    return Markup("\n").join(escape(escape_controls(one)) for one in text.split("\n"))


def points(values: Sequence[float | None]) -> list[str]:
    """Return the lines through values, as points of a picture of 100 by 20.

    Where a value is not known there is no line.
    """
    most = max([value for value in values if value is not None], default=0) or 1
    step = 100 / max(len(values) - 1, 1)
    lines: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{index * step:.2f},{19 - 18 * value / most:.2f}")
    # One point is no line: it is drawn as a short one.
    return [" ".join(line if len(line) > 1 else line * 2) for line in lines if line]


def _inert(value: Any) -> Any:
    """Escape what can't be seen: text may come from anybody."""
    return escape_controls(value) if type(value) is str else value
