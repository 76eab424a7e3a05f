"""From the counters to the guests' tags."""
