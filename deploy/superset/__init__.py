"""What Superset imports and how it is configured; runs beside Palate, not in it."""
