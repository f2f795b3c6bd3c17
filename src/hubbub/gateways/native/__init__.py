"""The native gateway: WebSockets on uvicorn's transports, without ASGI."""
