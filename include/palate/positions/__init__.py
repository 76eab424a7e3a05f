"""Which messages: partitions of feeds, ranges of offsets, and how far a stage is."""

from palate.positions import messages, range_sets, retained, row_chunks
from palate.positions.batch_ranges import make_ranges
from palate.positions.ranges import FeedPartition, Range
from palate.positions.watermark import advance, open_ranges, watermarks

__all__ = [
    "FeedPartition",
    "Range",
    "advance",
    "make_ranges",
    "messages",
    "open_ranges",
    "range_sets",
    "retained",
    "row_chunks",
    "watermarks",
]
