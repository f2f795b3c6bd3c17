"""WebSockets: the native gateway on uvicorn's transport, and the public ConnectionManager."""

import os

# The head of a request was limited as a whole (16 KiB) before it is parsed a second time, by `websockets`, whose own
# limits are of another kind and are answered with silence. These are its documented settings, read at its import.
os.environ.setdefault("WEBSOCKETS_MAX_LINE_LENGTH", str(2**20))
os.environ.setdefault("WEBSOCKETS_MAX_NUM_HEADERS", "4096")
