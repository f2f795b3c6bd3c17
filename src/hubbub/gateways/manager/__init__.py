"""The public ConnectionManager."""
