"""Fixture: a database and a running journal, as in the engine's tests."""

from tests.engine.conftest import store

__all__ = ["store"]
