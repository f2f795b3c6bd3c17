"""The ASGI gateway: the native gateway's conversation on any ASGI server."""
