"""Delivery: the order of a topic's entries, and the fan-out to connections.

It knows no socket type, no store and no account.
"""
