"""What the folders of areas and sources say: whose messages come, what is accepted."""

from palate.sources import catalog
from palate.sources.changed_columns import UNAVAILABLE
from palate.sources.changes import ChangedTable, load_changed_tables
from palate.sources.definition import Area, Layer, Source
from palate.sources.shape import load_reasons, load_shapes

__all__ = [
    "UNAVAILABLE",
    "Area",
    "ChangedTable",
    "Layer",
    "Source",
    "catalog",
    "load_changed_tables",
    "load_reasons",
    "load_shapes",
]
