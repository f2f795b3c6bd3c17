"""Vulnerability classes of other products, tested here.

The page docs/security-tests.md lists which test covers which.
"""
