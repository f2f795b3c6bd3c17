"""Fault tests: a real server is killed, frozen, filled or flooded while a checker watches."""
