"""Limits of inputs: each limit works, and one more is refused with a code."""
