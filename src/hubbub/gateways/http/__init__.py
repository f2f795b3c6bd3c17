"""The REST gateway and the pages: HTTP in, commands and queries out. Decides nothing about chat."""
