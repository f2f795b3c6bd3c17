"""Carries what was committed to the other nodes. A hint: the log is the truth."""
