"""Hubbub behind real proxies, configured as docs/proxy.md says."""
