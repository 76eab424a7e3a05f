"""Where Airflow finds the extractor: ``[openlineage] extractors`` has this path."""

from palate_airflow.lineage import AssetExtractor

__all__ = ["AssetExtractor"]
