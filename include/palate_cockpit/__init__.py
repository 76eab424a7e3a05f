"""The cockpit: pages in the Airflow UI, over the read models of ``palate.reads``.

Free of Airflow: who mounts the app hands in who may do what (``Guards``).
"""

from palate_cockpit.app import create_app
from palate_cockpit.guards import Guards

__all__ = ["Guards", "create_app"]
