"""Accounts, sessions, invites, tokens and limits."""
