"""The domain: commands, events, models, errors and rules.

Pure: no I/O, no async, no clock, no randomness.
"""
