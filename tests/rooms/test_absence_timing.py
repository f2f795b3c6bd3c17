"""Refusing a private room takes as long as refusing a missing room."""

import statistics
import time
from dataclasses import replace

from tests.conftest import MakeServer
from tests.rooms.questions import Question, Subject, questions
from tests.support.client import Connection
from tests.support.server import Account, Server

ABSENT = 61_000_000_000_001
SAMPLES = 5
ATTEMPTS = 3
"""Each attempt adds as many samples.

More samples reduce noise, and do not reduce a real difference.
"""
WITHIN = 1.5
NOISE = 0.006
"""Seconds by which an operation of a millisecond varies on a busy machine."""


def create_target(server: Server) -> tuple[Subject, Account]:
    """Create a private room and a user outside it."""
    alice, stranger = server.sign_up("alice"), server.sign_up("stranger")
    made = alice.request("POST", "/api/rooms", json={"kind": "private", "name": "Secret"})
    room = made.json()["room"]["id"]
    first = alice.request("POST", f"/api/rooms/{room}/messages", json={"key": "k", "body": "among us"}).json()["seq"]
    return Subject(room, alice.id, first, 1), stranger


async def alike(question: Question, subject: Subject, account: Account, connection: Connection) -> tuple[bool, str]:
    """Return whether both refusals take equally long, and figures.

    It compares the fastest quarter of the samples, because noise makes them slower only.
    """
    took: tuple[list[float], list[float]] = ([], [])
    figures = ""
    for _ in range(ATTEMPTS):
        for _ in range(SAMPLES):
            for seconds, asked in zip(took, (subject, replace(subject, room=ABSENT)), strict=True):
                begin = time.perf_counter()
                await question.ask(asked, account, connection)
                seconds.append(time.perf_counter() - begin)
        there, absent = (statistics.quantiles(seconds, n=4)[0] for seconds in took)
        figures = f"{question.name}: {there * 1_000:.2f} and {absent * 1_000:.2f} ms"
        if abs(there - absent) <= max((WITHIN - 1) * min(there, absent), NOISE):
            return True, figures
    return False, figures


async def test_questions_about_a_private_room_are_refused_as_fast_as_about_a_missing_one(server: Server) -> None:
    subject, stranger = create_target(server)
    async with await Connection.open(server.websocket_url, stranger.token) as connection:
        found = [await alike(question, subject, stranger, connection) for question in questions()]
    assert [figures for is_alike, figures in found if not is_alike] == []


async def test_control_a_server_that_delays_refusals_of_existing_rooms_is_detected(make_server: MakeServer) -> None:
    slow = make_server(launcher=("-m", "tests.rooms.slow_server")).start()
    subject, stranger = create_target(slow)
    (question,) = [question for question in questions() if question.name == "message.edit.by.room"]
    async with await Connection.open(slow.websocket_url, stranger.token) as connection:
        is_alike, figures = await alike(question, subject, stranger, connection)
    assert not is_alike, figures
