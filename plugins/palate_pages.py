"""The cockpit's pages, as Airflow finds plugins."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from palate_airflow import cockpit


class PalatePages(AirflowPlugin):
    """The pages below ``/palate``, and where the Airflow UI shows them."""

    name = "palate"
    fastapi_apps: list[Any] = cockpit.FASTAPI_APPS
    external_views: list[Any] = cockpit.EXTERNAL_VIEWS
    react_apps: list[Any] = cockpit.REACT_APPS
