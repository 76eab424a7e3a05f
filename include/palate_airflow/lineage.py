"""What a task reads and writes, for OpenLineage: its inlets and outlets.

The provider does it by itself, except for Redis, which it does not know. Airflow's
setting ``[openlineage] extractors`` names the class.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import Asset

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset


class AssetExtractor:
    """Reports the datasets of an ``@task``.

    It has what the provider requires of an extractor, but not its base class: Airflow
    loads this module in each of its processes, and the provider takes a third of a
    second.
    """

    def __init__(self, operator: Any) -> None:
        """Take the task."""
        self._operator = operator

    @classmethod
    def get_operator_classnames(cls) -> list[str]:
        """Return the class of ``@task``."""
        return ["_PythonDecoratedOperator"]

    def extract(self) -> OperatorLineage[Any, Any]:
        """Return what the task reads and writes."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        inlets, outlets = self._operator.inlets, self._operator.outlets
        return OperatorLineage(inputs=_datasets(inlets), outputs=_datasets(outlets))

    def extract_on_complete(self, _task: Any) -> OperatorLineage[Any, Any]:
        """Return the same at the task's end."""
        return self.extract()


def _datasets(assets: Iterable[Any]) -> list[Dataset]:
    found = [_dataset(asset) for asset in assets if isinstance(asset, Asset)]
    return [dataset for dataset in found if dataset]


def _dataset(asset: Asset) -> Dataset | None:
    from airflow.providers.openlineage.utils.utils import translate_airflow_asset
    from openlineage.client.event_v2 import Dataset

    uri = urlsplit(asset.uri)
    if uri.scheme == "redis":
        return Dataset(f"redis://{uri.netloc}", uri.path.lstrip("/"))
    return translate_airflow_asset(asset, None)
