"""Measures Hubbub against the performance targets, from outside, like any client."""
