"""WebSockets: the native gateway on uvicorn's transport, and the public ConnectionManager."""
