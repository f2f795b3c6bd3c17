"""Alembic's entry point: runs the migrations on `storage.migrate`'s connection."""

from alembic import context

from hubbub.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
