"""The files in deploy/, the Dockerfile and docs/deploying.md fit each other and the server."""
