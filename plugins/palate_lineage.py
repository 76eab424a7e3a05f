"""The extractor's path in ``[openlineage] extractors``."""

from palate_airflow.lineage import AssetExtractor

__all__ = ["AssetExtractor"]
