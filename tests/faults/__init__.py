"""Fault and contract tests: a real server process is killed, frozen, filled or flooded, and the checker looks on."""
