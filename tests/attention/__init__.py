"""Reactions, mentions and read positions: what calls for somebody's attention."""
