"""Vulnerability classes of other products, tested here.

Docs/security-tests.md lists which test covers which.
"""
