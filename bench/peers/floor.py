"""The lower bound of the cost: `bench/floor.c`, which only writes."""

from __future__ import annotations

from bench.load import BUILD
from bench.peers.peer import Peer

FLOOR = Peer(
    name="C floor",
    does="fan-out only, one write() per delivery",
    command=lambda port: [str(BUILD / "floor"), str(port)],
    load=lambda text: ["--message", text],
)

BATCHING_FLOOR = Peer(
    name="C floor, batching",
    does="fan-out only, one write() per connection and turn",
    command=lambda port: [str(BUILD / "floor"), str(port), "--batch"],
    load=lambda text: ["--message", text],
)
