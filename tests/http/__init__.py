"""The REST gateway, asked in process: real services, a real store, no network."""
