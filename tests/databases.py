"""The PostgreSQL database of the tests."""

import os

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

POSTGRESQL = os.environ.get(
    "SKIN_AI_TEST_DATABASE_URL", "postgresql+psycopg://skin_ai:skin_ai@localhost/skin_ai_test"
)


def empty_postgresql() -> str:
    """The address of the database, emptied; skips where none answers."""
    engine = create_engine(POSTGRESQL, connect_args={"connect_timeout": 2})
    try:
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    except OperationalError:
        pytest.skip(f"no PostgreSQL answers at {engine.url!r}; .ci/run shows how to start one")
    finally:
        engine.dispose()
    return POSTGRESQL
