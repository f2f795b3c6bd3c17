"""The memory: SQL through SQLAlchemy Core, synchronous. Imports the domain and nothing above it."""
