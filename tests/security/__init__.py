"""Attacks, and what an attacker must not achieve."""
