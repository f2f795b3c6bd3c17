"""Gateways translate between one dialect and commands and events.

They make no decisions about chat.
"""

import os

# `websockets` parses a request's head a second time. The head was already limited as a whole (16
# KiB); the library's own limits are of another kind and drop the connection without a response.
# These documented settings raise them; `websockets` reads them at import.
os.environ.setdefault("WEBSOCKETS_MAX_LINE_LENGTH", str(2**20))
os.environ.setdefault("WEBSOCKETS_MAX_NUM_HEADERS", "4096")
