"""What changed goes out: tags, counters, enriched orders."""
