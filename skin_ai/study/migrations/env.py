"""Alembic runs this for each migration; the connection and its transaction are those of database.py."""

from alembic import context

from skin_ai.study.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
