"""Measures Hubbub against the performance targets; knows it only from outside, like any client."""
