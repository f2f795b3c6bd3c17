"""Reactions, mentions and read positions."""
