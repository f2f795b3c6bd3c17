"""Tests of the buses between nodes: one suite for all, and what each has of its own."""
