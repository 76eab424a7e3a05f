"""The owner's work: schemas, tables, roles."""
