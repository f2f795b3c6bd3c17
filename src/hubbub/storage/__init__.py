"""The store: synchronous SQL through SQLAlchemy Core.

Imports the domain and nothing above it.
"""
