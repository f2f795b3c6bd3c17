"""The REST gateway in process: real services, a real database, no network."""
