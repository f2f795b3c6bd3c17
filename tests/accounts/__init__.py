"""Accounts, sessions, invites, tokens and limits: handlers and the units below them."""
