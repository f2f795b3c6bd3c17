"""Shared by all tests.

The package has a real server process, WebSocket clients, a proxy with faults, and the checker.
"""
