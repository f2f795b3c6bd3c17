"""Runs it: one write path, the fan-out, the live connections. Knows no socket type and no SQL."""
