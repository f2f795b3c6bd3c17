"""The words: commands, events, models, errors and rules. Pure: no I/O, no async, no clock, no randomness."""
