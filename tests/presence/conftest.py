"""A store and a journal at work, as the engine's tests have them."""

from tests.engine.conftest import desk

__all__ = ["desk"]
