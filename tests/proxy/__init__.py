"""Hubbub behind real proxies, configured as docs/operations.md says."""
