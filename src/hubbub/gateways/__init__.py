"""Gateways translate between one dialect and commands and events.

They make no decisions about chat.
"""
