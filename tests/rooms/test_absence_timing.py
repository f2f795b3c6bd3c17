"""A private room that one is not in takes as long to refuse as one that is not there."""

import statistics
import time
from dataclasses import replace

from tests.conftest import MakeServer
from tests.rooms.questions import Place, Question, questions
from tests.support.client import Connection
from tests.support.server import Account, Server

ABSENT = 61_000_000_000_001
SAMPLES = 5
ATTEMPTS = 3
"""Each adds as many samples: noise goes down with their number, a difference does not."""
WITHIN = 1.5
NOISE = 0.006
"""Seconds by which what takes a millisecond differs on a busy machine."""


def furnish(server: Server) -> tuple[Place, Account]:
    """A private room of somebody's, and somebody else."""
    alice, stranger = server.sign_up("alice"), server.sign_up("stranger")
    made = alice.request("POST", "/api/rooms", json={"kind": "private", "name": "Secret"})
    room = made.json()["room"]["id"]
    first = alice.request("POST", f"/api/rooms/{room}/messages", json={"key": "k", "body": "among us"}).json()["seq"]
    return Place(room, alice.id, first, 1), stranger


async def alike(question: Question, place: Place, account: Account, connection: Connection) -> tuple[bool, str]:
    """Whether the refusals take alike, and how long the faster quarter of them took: noise makes them slower only."""
    took: tuple[list[float], list[float]] = ([], [])
    figures = ""
    for _ in range(ATTEMPTS):
        for _ in range(SAMPLES):
            for seconds, asked in zip(took, (place, replace(place, room=ABSENT)), strict=True):
                begin = time.perf_counter()
                await question.ask(asked, account, connection)
                seconds.append(time.perf_counter() - begin)
        there, absent = (statistics.quantiles(seconds, n=4)[0] for seconds in took)
        figures = f"{question.name}: {there * 1_000:.2f} and {absent * 1_000:.2f} ms"
        if abs(there - absent) <= max((WITHIN - 1) * min(there, absent), NOISE):
            return True, figures
    return False, figures


async def test_every_question_about_a_private_room_is_refused_as_fast_as_about_none(server: Server) -> None:
    place, stranger = furnish(server)
    async with await Connection.open(server.websocket_url, stranger.token) as connection:
        found = [await alike(question, place, stranger, connection) for question in questions()]
    assert [figures for is_alike, figures in found if not is_alike] == []


async def test_a_server_that_hesitates_before_it_denies_a_room_is_found_out(make_server: MakeServer) -> None:
    """The control."""
    slow = make_server(launcher=("-m", "tests.rooms.slow_server")).start()
    place, stranger = furnish(slow)
    (question,) = [question for question in questions() if question.name == "message.edit.by.room"]
    async with await Connection.open(slow.websocket_url, stranger.token) as connection:
        is_alike, figures = await alike(question, place, stranger, connection)
    assert not is_alike, figures
