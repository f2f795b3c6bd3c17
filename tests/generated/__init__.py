"""What is generated: up to date, valid by the standards' own schemas, and true of a running server."""
