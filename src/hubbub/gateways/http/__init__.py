"""The REST gateway and the web pages: HTTP in, commands and queries out."""
