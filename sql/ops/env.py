"""Alembic runs the migrations of `ops` and `stg` over the connection it is given."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="migrations",
    version_table_schema="ops",
)
with context.begin_transaction():
    context.run_migrations()
