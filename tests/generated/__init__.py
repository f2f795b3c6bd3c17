"""Generated files: up to date, valid by their standards' schemas, and true of a running server."""
