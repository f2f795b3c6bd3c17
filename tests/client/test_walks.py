"""Random walks against a model server: everything arrives once and in order."""

import random

from hubbub.client.entries import Entry, Reset
from tests.client.fake_server import LOBBY, OWN, FakeServer
from tests.client.listener import Listener, welcomed
from tests.support import depth

TOPICS = (OWN, "site", LOBBY, LOBBY, "room:2", "room:3")
# How often each step happens: mostly traffic, with an occasional fault.
WEIGHTS = {
    "say": 30, "deliver": 40, "answer": 14, "consume": 20, "lose": 3, "connect": 2, "join": 4, "leave": 2, "trim": 1,
    "restore": 1,
}  # fmt: skip


def holes(server: FakeServer, heard: list[Entry | Reset], topic: str) -> list[str]:
    """Return gaps and disorder in a topic since its first event or the join."""
    found = []
    epoch: int | None = None
    last: int | None = 0 if topic in (OWN, "site", LOBBY) else None
    starts = {
        one.fields["details"]["head"]
        for one in heard
        if isinstance(one, Entry) and one.type == "room.added" and topic == f"room:{one.fields['room']}"
    }
    # A client whose own log was reset may have missed joins and leaves, so rooms may continue
    # elsewhere.
    if topic in ("room:2", "room:3") and any(isinstance(one, Reset) and one.topic == OWN for one in heard):
        return []
    for one in heard:
        if one.topic != topic:
            continue
        if isinstance(one, Reset):
            last, epoch = one.head, None
            continue
        if epoch not in (None, one.fields["epoch"]) and one.seq - 1 not in starts:
            found.append(f"{topic}: {one.seq} is of another history")
        epoch = one.fields["epoch"]
        if one.seq - 1 not in {last, *starts}:
            found.append(f"{topic}: {one.seq} after {last}")
        last = one.seq
    if topic in server.followed() and last is not None and server.logs[topic].head not in {last, *starts}:
        found.append(f"{topic}: ended at {last} of {server.logs[topic].head}")
    return found


def step(server: FakeServer, client: Listener, chance: random.Random) -> None:
    """Do one random step."""
    (what,) = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
    if what in ("say", "trim"):
        getattr(server, what)(chance.choice(TOPICS))
    elif what in ("join", "leave"):
        getattr(server, what)(chance.choice((2, 3)))
    elif what in ("answer", "restore"):
        getattr(server, what)()
    else:
        getattr(client, what)()


def walk(seed: int, steps: int = 150) -> tuple[FakeServer, Listener]:
    """Return a server and client after random steps.

    The same seed gives the same steps.
    """
    chance, server = random.Random(seed), FakeServer()
    client = Listener(server, capacity=chance.randint(1, 6))
    client.connect()
    client.deliver()
    for _ in range(steps):
        step(server, client, chance)
        waiting = [one for one in client.sync.inbox._queue if isinstance(one, Entry)]
        assert len(waiting) <= client.capacity
    return server, client


def test_after_random_faults_everything_was_received_once_and_in_order() -> None:
    for seed in range(depth.rounds("walks", short=120, long=10_000)):
        server, client = walk(seed)
        client.settle()
        found = [hole for topic in server.logs for hole in holes(server, client.heard, topic)]
        assert not found, f"walk {seed}: {found}"
        assert set(client.sync.inbox.rooms) == set(server.joined), f"walk {seed}"
        positions = client.sync.inbox.positions()
        assert positions is not None
        assert positions.have == {topic: server.logs[topic].head for topic in server.followed()}, f"walk {seed}"


def test_a_new_client_resumes_from_the_positions_of_an_earlier_one() -> None:
    for seed in range(depth.rounds("walks", short=120, long=10_000)):
        server, client = walk(seed)
        after = Listener(server, client.capacity, client.sync.inbox.positions())
        # The consumer may not have finished with the last entry, so it comes again.
        after.heard = client.heard[:-1] if client.sync.inbox._in_hand is not None else client.heard
        after.settle()
        found = [hole for topic in server.logs for hole in holes(server, after.heard, topic)]
        assert not found, f"walk {seed}: {found}"


def test_control_a_client_that_forgets_its_positions_has_gaps() -> None:
    server, client = welcomed()
    for number in range(6):
        server.say(LOBBY)
        if number == 2:
            client.settle()
            server.connected = False
            client.sync.inbox._topics.clear()
            client.sync.inbox.epoch = None
            server.say(LOBBY)
    client.settle()
    server.say(LOBBY)
    client.deliver()
    client.consume()
    assert holes(server, client.heard, LOBBY) != []
