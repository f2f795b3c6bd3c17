"""Shared by all tests.

A real server process, WebSocket clients, a proxy with faults, and the checker.
"""
