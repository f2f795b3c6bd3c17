"""Fault tests: a server is killed, frozen, filled or flooded under a checker."""
