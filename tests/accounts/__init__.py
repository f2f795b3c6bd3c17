"""Accounts, sessions, invites, tokens, limits: the deeds and the small machines under them."""
