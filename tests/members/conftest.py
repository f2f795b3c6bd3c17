"""Fixtures: the same database, journal and users as for rooms, on each engine."""

from tests.rooms.conftest import store as store
from tests.rooms.conftest import world as world
