"""Tests of managers with a bus: one suite for both kinds, and real processes."""
