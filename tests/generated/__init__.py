"""Generated files are up to date, valid by their standards, and true of a server."""
