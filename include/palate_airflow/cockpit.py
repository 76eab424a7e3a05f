"""The cockpit in the Airflow UI: where its pages stand, and who may do what there.

The one module that knows Airflow's login and roles. Airflow imports plugins in each of
its parts; the app itself is built by the first request that asks for a page.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

# The DAGs whose rights the guards ask for.
_STREAM, _REPLAY = "orders_stream", "rejected_replay"
# Relative to Airflow's base URL, which may have a path of its own.
_PAGES = "palate"


async def app(scope: _Message, receive: _Receive, send: _Send) -> None:
    """Answer a request below ``/palate``."""
    # Another thread: building it takes a part of a second, and Airflow's loop waits.
    built = await asyncio.to_thread(_build)
    await built(scope, receive, send)


@cache
def _build() -> _App:
    from palate_airflow.connections import task_settings
    from palate_cockpit import create_app

    return create_app(_guards(), task_settings)


def _guards() -> Any:
    from airflow.api_fastapi.auth.managers.models.resource_details import (
        DagAccessEntity,
    )
    from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
    from airflow.api_fastapi.logging.decorators import action_logging

    from palate_cockpit import Guards

    def user(user: GetUserDep) -> str:
        return user.get_name()

    return Guards(
        operations=requires_access_dag("GET", None, _STREAM),
        persons=requires_access_dag("POST", DagAccessEntity.RUN, _STREAM),
        dismiss=requires_access_dag("POST", DagAccessEntity.RUN, _REPLAY),
        rules=requires_access_dag("PUT", None, _STREAM),
        user=user,
        audit=action_logging,
    )


def _view(destination: str, href: str, route: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "Palate",
        "href": f"{_PAGES}/{href}",
        "url_route": route,
        "destination": destination,
        "icon": f"{_PAGES}/static/icon.svg",
        "icon_dark_mode": f"{_PAGES}/static/icon-dark.svg",
    } | more


_DAG, _RUN, _TASK = "dag_id={DAG_ID}", "run_id={RUN_ID}", "task_id={TASK_ID}"
FASTAPI_APPS = [{"name": "palate", "url_prefix": f"/{_PAGES}", "app": app}]
EXTERNAL_VIEWS = [
    _view("nav", "", "palate", nav_top_level=True),
    # Airflow shows these tabs for every DAG; the pages say if it is none of Palate's.
    _view("dag", f"dag?{_DAG}", "palate-dag"),
    _view("dag_run", f"run?{_DAG}&{_RUN}", "palate-run"),
    _view("task", f"dag?{_DAG}&{_TASK}", "palate-task"),
    _view(
        "task_instance",
        f"task?{_DAG}&{_RUN}&{_TASK}&map_index={{MAP_INDEX}}",
        "palate-task-instance",
    ),
]
# One line above Airflow's own home page: a script without a build.
REACT_APPS = [
    {
        "name": "Palate line",
        "bundle_url": f"{_PAGES}/static/line.js",
        "destination": "dashboard",
        "url_route": "palate-line",
    }
]
