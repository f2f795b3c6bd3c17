"""The engine: the write path, the fan-out and the live connections.

It knows no socket type and no SQL.
"""
