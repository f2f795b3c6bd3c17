"""Tests with several real server processes on one PostgreSQL, connected by a bus."""
