"""What a source's folder says: which messages are accepted."""

from palate.sources.shape import load_reasons, load_shapes

__all__ = ["load_reasons", "load_shapes"]
