"""Carries committed entries to the other nodes.

It is only a hint; the log is authoritative.
"""
