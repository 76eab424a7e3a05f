"""What the folders of areas and sources say: whose messages come, what is accepted."""

from palate.sources import catalog
from palate.sources.definition import Area, Layer, Source
from palate.sources.shape import load_reasons, load_shapes

__all__ = ["Area", "Layer", "Source", "catalog", "load_reasons", "load_shapes"]
