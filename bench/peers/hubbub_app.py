"""The same endpoint as fastapi_app.py, with the class imported from hubbub."""

from __future__ import annotations

from bench.peers.tutorial import build_app
from hubbub import ConnectionManager

app = build_app(ConnectionManager())
